"""
What the surveys of a supervisor found over time, for whoever asks what grows.

The number of samples is bounded: when there are too many, every second one goes, and from then on
twice as much time lies between two of them. So the samples always span everything since the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Final, NamedTuple

from ._limits import resident_memory

if TYPE_CHECKING:
    from ._supervisor import Supervisor
    from ._survey import Counted, Survey

MOST: Final = 240
NAMES: Final = 200
"""Maps, kinds and places of which there is a history: those that were there first."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What one survey found."""

    at: float
    """In seconds since the epoch."""
    requests: int
    """Requests counted until then, or sessions opened, where nobody counts requests."""
    live: int
    unbounded: int
    orphans: int
    rss: int
    figures: dict[tuple[str, str], Counted]
    """By kind and name."""


class Late(NamedTuple):
    """How long there are orphans of one name."""

    times: int
    """In so many surveys without a break."""
    since: float | None
    """Since when, in seconds since the epoch."""
    began: float
    """The same in seconds of the supervisor's clock."""
    lasts: float
    """Seconds from the first of these surveys to the last."""


NEVER: Final = Late(0, None, 0.0, 0.0)


class History:
    """The samples of one supervisor."""

    def __init__(self) -> None:
        self.rss: Callable[[], int] = resident_memory()
        self.moments: list[Moment] = []
        """The oldest first."""
        self.counts_requests: bool = False
        """Whether `Moment.requests` are requests; else they are sessions that were opened."""
        self.late: dict[tuple[str, str], Late] = {}
        """What has orphans now."""
        self._latest: Moment | None = None
        self._known: dict[tuple[str, str], None] = {}
        self._every = 1
        self._skipped = 0

    def all(self) -> list[Moment]:
        """Return the samples, and the newest one also if it was not kept."""
        latest = self._latest
        found = list(self.moments)
        return found if latest is None or found[-1] is latest else [*found, latest]

    def add(self, supervisor: Supervisor, survey: Survey) -> None:
        """Take note of what *survey* found, and keep it if its turn has come."""
        if self.counts_requests is not bool(supervisor._requests):
            # A curve over one is none over the other.
            self.counts_requests = bool(supervisor._requests)
            self.moments.clear()
            self._every = 1
        figures: dict[tuple[str, str], Counted] = {}
        for each in survey.counted:
            name = (each.kind, each.name)
            if name in self._known or len(self._known) < NAMES:
                self._known[name] = None
                figures[name] = each
        self._latest = Moment(
            time(),
            supervisor._requests or supervisor._number,
            survey.sessions,
            survey.unbounded,
            survey.orphans,
            self.rss(),
            figures,
        )
        self.follow(self._latest, survey.at)
        self._skipped += 1
        if self._skipped >= self._every or not self.moments:
            self._skipped = 0
            self.moments.append(self._latest)
        if len(self.moments) > MOST:
            del self.moments[1::2]  # the first and the last stay
            self._every *= 2
            self._known = dict.fromkeys(name for each in self.moments for name in each.figures)

    def follow(self, moment: Moment, now: float) -> None:
        """Take note of which orphans were there before, and which came."""
        before = self.late
        self.late = {}
        for name, each in moment.figures.items():
            if each.orphans:
                first = before.get(name, Late(0, moment.at, now, 0.0))
                self.late[name] = first._replace(times=first.times + 1, lasts=now - first.began)
