"""
Per-session state for asyncio servers that cannot leak.

A `Supervisor` owns sessions and ends them: by scope, by event, by deadline, by cap, at exit. The
event is a hint; the deadline is the guarantee.
"""

from __future__ import annotations

from ._default import current_supervisor
from ._errors import (
    GuardFull,
    SessionClosed,
    SessionError,
    SessionNotFound,
    StaleRequest,
    SupervisorClosed,
    SupervisorFull,
)
from ._events import (
    CleanUpFailed,
    CleanUpStep,
    EventStream,
    Observation,
    SessionClosing,
    SessionEnded,
    SessionEvent,
    SessionOpened,
)
from ._exit import run
from ._functions import attach, session
from ._inventory import Resource
from ._last import supervisors
from ._leaks import Leak, LeakDetection
from ._memory import MemoryGuard, MemoryReport
from ._processes import OwnedProcess
from ._production import Growth, ProductionReport, ProductionRow
from ._reasons import CloseReason, SessionState
from ._resources import Callback
from ._runs import OutputExceeded
from ._session import Session
from ._state import SessionMap, SessionVar, current_session
from ._statistics import Statistics
from ._supervisor import Supervisor
from ._survey import Counted, Survey, Surveying
from ._tasks import OwnedTask
from .containers import Claim, EvictionCause, ExpiringMap, LRUCache, ReplayGuard

__version__ = "0.1.0"

__all__ = [
    "Callback",
    "Claim",
    "CleanUpFailed",
    "CleanUpStep",
    "CloseReason",
    "Counted",
    "EventStream",
    "EvictionCause",
    "ExpiringMap",
    "Growth",
    "GuardFull",
    "LRUCache",
    "Leak",
    "LeakDetection",
    "MemoryGuard",
    "MemoryReport",
    "Observation",
    "OutputExceeded",
    "OwnedProcess",
    "OwnedTask",
    "ProductionReport",
    "ProductionRow",
    "ReplayGuard",
    "Resource",
    "Session",
    "SessionClosed",
    "SessionClosing",
    "SessionEnded",
    "SessionError",
    "SessionEvent",
    "SessionMap",
    "SessionNotFound",
    "SessionOpened",
    "SessionState",
    "SessionVar",
    "StaleRequest",
    "Statistics",
    "Supervisor",
    "SupervisorClosed",
    "SupervisorFull",
    "Survey",
    "Surveying",
    "attach",
    "current_session",
    "current_supervisor",
    "run",
    "session",
    "supervisors",
]

for _name in __all__:  # what users import says that it lives where they import it from
    globals()[_name].__module__ = __name__
del _name  # pyright: ignore[reportPossiblyUnboundVariable]
