"""How long things take: what is measured, to which bounds, and buckets for those without."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from sessionstate import CloseReason, SessionClosing, SessionEnded

if TYPE_CHECKING:
    from sessionstate import SessionEvent

DEADLINES: Final = frozenset(
    {CloseReason.IDLE, CloseReason.UNUSED, CloseReason.EXPIRED, CloseReason.STALLED}
)
"""Ends by a deadline, which may be late."""


@dataclass(frozen=True, slots=True)
class Duration:
    """One histogram, in seconds."""

    otel: str
    """Its name in OpenTelemetry, after ``sessionstate.``."""
    prometheus: str
    """Its name in Prometheus, after ``sessionstate_``."""
    text: str
    bounds: tuple[float, ...]


LIFETIME: Final = Duration(
    "session.lifetime",
    "lifetime_seconds",
    "From the opening of a session to the decision that it ends.",
    (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0),
)
CLOSING: Final = Duration(
    "close.duration",
    "close_duration_seconds",
    "From the decision that a session ends until all that it owned is released.",
    (0.0001, 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
LATENESS: Final = Duration(
    "deadline.lateness",
    "deadline_lateness_seconds",
    "How long after its deadline a session was ended by it.",
    # By design, a deadline is late by up to 4 ms, or a 256th of its timeout: 7 s of half an hour.
    (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)


class Durations:
    """
    An observer that passes on how long things took, to one function for each histogram.
    """

    def __init__(
        self,
        lifetime: Callable[[float], object],
        closing: Callable[[float], object],
        lateness: Callable[[float], object],
    ) -> None:
        self._lifetime = lifetime
        self._closing = closing
        self._lateness = lateness

    def tell(self, event: SessionEvent) -> None:
        """Pass on what *event* tells of time."""
        if isinstance(event, SessionEnded):
            self._lifetime(event.lifetime)
            self._closing(event.took)
        elif (
            isinstance(event, SessionClosing)
            and event.late is not None
            and event.reason in DEADLINES
        ):
            self._lateness(event.late)


class Histogram:
    """
    How many values were at most each bound, and their sum. It is read from any thread.
    """

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, duration: Duration) -> None:
        self._bounds = duration.bounds
        self._counts = [0] * (len(self._bounds) + 1)
        self.total = 0.0
        """The sum of the values."""

    def add(self, value: float) -> None:
        """Count *value*."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return each bound, as a text, with how many values were at most that."""
        # One copy, so that the buckets fit each other although the loop goes on counting.
        counts = accumulate(self._counts[:])
        return list(zip((*map(repr, self._bounds), "+Inf"), map(float, counts), strict=True))
