"""
Tools for the tests of programs that keep state per session.

.. versionadded:: 0.1
"""

from ._clock import VirtualClock
from ._explore import Exploration, ExplorationError, Failure, ScenarioError, explore
from ._points import Injected, Mode, Point
from ._virtual_loop import DeadlockError, LivelockError, VirtualLoop

__all__ = [
    "DeadlockError",
    "Exploration",
    "ExplorationError",
    "Failure",
    "Injected",
    "LivelockError",
    "Mode",
    "Point",
    "ScenarioError",
    "VirtualClock",
    "VirtualLoop",
    "explore",
]
