"""
Tools for the tests of programs that keep state per session.

.. versionadded:: 0.1
"""

from ._calibration import calibrate
from ._clock import VirtualClock
from ._drive import RequestError
from ._explore import Exploration, ExplorationError, Failure, ScenarioError, explore
from ._leak_report import LeakError, LeakReport
from ._leakcheck import leakcheck
from ._leftovers import Census, Leftover, LeftoverError, census
from ._points import Injected, Mode, Point
from ._settling import no_leaks
from ._verdicts import LeakRow, Verdict
from ._virtual_loop import DeadlockError, LivelockError, VirtualLoop

__all__ = [
    "Census",
    "DeadlockError",
    "Exploration",
    "ExplorationError",
    "Failure",
    "Injected",
    "LeakError",
    "LeakReport",
    "LeakRow",
    "Leftover",
    "LeftoverError",
    "LivelockError",
    "Mode",
    "Point",
    "RequestError",
    "ScenarioError",
    "Verdict",
    "VirtualClock",
    "VirtualLoop",
    "calibrate",
    "census",
    "explore",
    "leakcheck",
    "no_leaks",
]

for _name in __all__:  # what users import says that it lives where they import it from
    globals()[_name].__module__ = __name__
del _name  # pyright: ignore[reportPossiblyUnboundVariable]
