"""
Tools for the tests of programs that keep state per session.

.. versionadded:: 0.1
"""

from ._clock import VirtualClock
from ._explore import Exploration, ExplorationError, Failure, ScenarioError, explore
from ._leftovers import Census, Leftover, LeftoverError, census
from ._points import Injected, Mode, Point
from ._settling import no_leaks
from ._virtual_loop import DeadlockError, LivelockError, VirtualLoop

__all__ = [
    "Census",
    "DeadlockError",
    "Exploration",
    "ExplorationError",
    "Failure",
    "Injected",
    "Leftover",
    "LeftoverError",
    "LivelockError",
    "Mode",
    "Point",
    "ScenarioError",
    "VirtualClock",
    "VirtualLoop",
    "census",
    "explore",
    "no_leaks",
]
