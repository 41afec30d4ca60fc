"""Figures about a supervisor, and the counters behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ._reasons import CloseReason


@dataclass(frozen=True)
class Statistics:
    """
    What a supervisor holds and has done, at one moment.

    .. versionadded:: 0.1
    """

    live: int
    """Sessions that are open or idle; what `max_sessions` limits."""
    held: int
    """Live sessions with somebody inside."""
    idle: int
    """Live sessions with nobody inside."""
    closing: int
    """Sessions whose clean-up is still running."""
    unbounded: int
    """Held sessions with neither `max_age` nor `stall_timeout`: only their holder can end them."""
    queued: int
    """Entries in the deadline queues; never more than one for a live session."""
    waiting: int
    """Openings that wait for room."""
    opened: int
    """Sessions opened since the start."""
    closed: int
    """Sessions ended since the start."""
    closed_by_reason: Mapping[CloseReason, int]
    """Ended sessions by reason; every reason is a key."""
    refused: int
    """Openings refused with `SupervisorFull`."""
    clean_up_errors: int
    """Errors raised by hooks, callbacks, contexts and tasks while sessions ended."""
    stuck: int
    """Bodies that were still inside when the clean-up went on without them."""
    abandoned: int
    """Clean-up steps that did not end when they were cancelled."""
    expiry_errors: int
    """Errors in the supervisor's own work, each survived."""
    restarts: int
    """How often the supervisor's task was begun again."""
    dropped_events: int
    """Events that slow readers of `events` did not get."""
    weight: float
    """What all live sessions weigh together; what `max_weight` limits."""


class Counts:
    """What only grows."""

    __slots__ = (
        "abandoned",
        "by_reason",
        "clean_up_errors",
        "dropped_events",
        "expiry_errors",
        "refused",
        "restarts",
        "stuck",
    )

    def __init__(self) -> None:
        self.refused: int = 0
        self.clean_up_errors: int = 0
        self.stuck: int = 0
        self.abandoned: int = 0
        self.expiry_errors: int = 0
        self.restarts: int = 0
        self.dropped_events: int = 0
        self.by_reason: dict[CloseReason, int] = dict.fromkeys(CloseReason, 0)
