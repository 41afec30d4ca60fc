"""
Leak detection in production: a few sessions are sampled, and looked at now and then.

As in Netty's `ResourceLeakDetector`, of which the levels are. All other sessions pay one comparison
when they are opened: what else is recorded, a subclass and subclasses of their dicts record.
"""

from __future__ import annotations

import asyncio
import sys
from math import inf
from random import Random
from typing import TYPE_CHECKING, Final

from ._events import logger
from ._holders import Block
from ._leaks import GRACE, Leak, LeakDetection, leak, orphaned
from ._session import Session
from ._ties import Tied
from ._traces import Placed, PlacedSlots, Trace, trace_of

if TYPE_CHECKING:
    from ._supervisor import Supervisor

GREPPABLE: Final = "SESSIONSTATE-LEAK"
SAMPLED: Final = 128
"""Of so many sessions one is sampled, on average."""
TRACES: Final = {
    LeakDetection.DISABLED: 0,
    LeakDetection.SIMPLE: 1024,
    LeakDetection.ADVANCED: 1024,
    LeakDetection.PARANOID: 16_384,
}
"""How many sessions there are records for, at once."""
SITES: Final = 256
"""How many places are remembered as reported, and so how many reports there are in an hour."""
EVERY: Final = 60.0  # seconds between two looks
SLICE: Final = 64  # sessions looked at before others get their turn
HOUR: Final = 3600.0  # of silence about a place that was reported


class TracedSession(Session):
    """A session that takes note of who uses it: each use writes `last_used`."""

    __slots__ = ()

    if not TYPE_CHECKING:  # pragma: no branch - type checkers need not know

        @property
        def last_used(self) -> float:
            """
            When it was last used, in seconds of the supervisor's clock.
            """
            return Tied.last_used.__get__(self)

        @last_used.setter
        def last_used(self, when: float) -> None:
            Tied.last_used.__set__(self, when)
            trace = trace_of(self)
            frame = sys._getframe(1)
            if trace is not None and frame.f_code not in NO_USES:
                trace.used(frame, when)


NO_USES: Final = frozenset(
    {Session._due.__code__, Block.__aexit__.__code__, Session._unhold.__code__}
)
"""What writes `last_used` without using the session."""


class Reported:
    """A place that was reported, or is about to be."""

    __slots__ = ("count", "leak", "next")

    def __init__(self) -> None:
        self.count = 0  # in this look
        self.leak: Leak | None = None  # to be reported when this look is over
        self.next = -inf  # the next report is not before this


class Tracer:
    """The records of one supervisor, and the timer of its loop that looks at them."""

    def __init__(self, supervisor: Supervisor, level: LeakDetection) -> None:
        self._supervisor = supervisor
        self._free: list[Trace] = []
        self._taken: dict[Trace, None] = {}
        for _ in range(TRACES[level]):
            Trace(self._free, self._taken)
        self._sites: dict[tuple[str, str], Reported] = {}
        self._handle: asyncio.Handle | None = None
        self._planned = 0.0
        self.entered = Trace([], {})
        """The record of the supervisor itself."""
        # Not every 128th: sessions that come in a fixed order would be sampled unevenly.
        self._random = Random(0).random  # noqa: S311 - no secret, but the same on each run
        self._spread = 1 if level is LeakDetection.PARANOID else 2 * SAMPLED - 1
        self._enabled = level is not LeakDetection.DISABLED
        self._accesses = self._enabled and level is not LeakDetection.SIMPLE
        self._places = level is LeakDetection.PARANOID
        supervisor._sample_at = 1 + int(self._random() * self._spread) if self._enabled else 0

    def start(self) -> None:
        """Record what enters the supervisor."""
        if self._enabled:
            self.entered.take(sys._getframe(1))

    def stop(self) -> None:
        """Look no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def sample(self, session: Session) -> None:
        """Record what opens *session*, if there is a record left, and say which one is next."""
        self._supervisor._sample_at += 1 + int(self._random() * self._spread)
        if not self._free:
            return
        trace = self._free.pop()
        trace.take(sys._getframe(2))
        if not self._places:
            trace.begin(session, {})
        else:
            trace.begin(session, PlacedSlots())
            session._steps, session._tasks = Placed(), Placed()
        if self._accesses:
            session.__class__ = TracedSession
        if self._handle is None:
            self._arm()

    def leaks(self) -> list[Leak]:
        """Return what is known of the sampled sessions that are orphans now, oldest first."""
        found: list[Leak] = []
        for trace in list(self._taken):
            session = trace.session
            assert session is not None
            now = session._clock()
            orphan = orphaned(session, now)
            if orphan is not None:
                found.append(leak(session, *orphan, now))
        return found

    def _arm(self, delay: float = EVERY) -> None:
        supervisor = self._supervisor
        self._planned = supervisor._loop.time() + delay
        self._handle = supervisor._loop.call_at(
            self._planned, self._begin, context=supervisor._context
        )

    def _begin(self) -> None:
        if self._supervisor._loop.time() - self._planned > GRACE:
            self._arm(GRACE)  # after the loop stood still, what is late may be on its way
            return
        for reported in self._sites.values():
            reported.count = 0
        self._look(list(self._taken)[::-1])

    def _look(self, traces: list[Trace]) -> None:
        """Look at a slice of the records, from behind, and let others get their turn."""
        supervisor = self._supervisor
        try:
            for trace in [traces.pop() for _ in range(min(SLICE, len(traces)))]:
                if trace.session is not None:
                    self._look_at(trace.session)
            if not traces:
                self._report()
        finally:
            self._handle = None
            if traces:
                self._handle = supervisor._loop.call_soon(
                    self._look, traces, context=supervisor._context
                )
            elif self._taken:
                self._arm()

    def _look_at(self, session: Session) -> None:
        """Count *session* if it is an orphan; keep the first of its site that is to be reported."""
        now = session._clock()
        orphan = orphaned(session, now)
        if orphan is None:
            return
        reported = self._reported((session.opened_where, orphan[0]), now)
        if reported is None:
            return
        reported.count += 1
        if now >= reported.next:
            reported.next = now + HOUR
            reported.leak = leak(session, *orphan, now)

    def _report(self) -> None:
        """Report what was found, each site with how many there are."""
        sampled = "" if self._places else f", 1 in {SAMPLED} sampled"
        for reported in self._sites.values():
            found, reported.leak = reported.leak, None
            if found is not None:
                such = "such session" if reported.count == 1 else "such sessions"
                logger.warning(
                    "%s %s\n%d %s now%s", GREPPABLE, found, reported.count, such, sampled
                )

    def _reported(self, site: tuple[str, str], now: float) -> Reported | None:
        """Return what is remembered of a place; None if the log has heard enough for this hour."""
        reported = self._sites.pop(site, None)
        if reported is None:
            if len(self._sites) >= SITES:
                quietest = next(iter(self._sites))  # nothing was found there for longest
                if now < self._sites[quietest].next:
                    return None
                del self._sites[quietest]
            reported = Reported()
        self._sites[site] = reported
        return reported
