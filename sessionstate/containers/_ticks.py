"""
What is due when, by coarse ticks, and exact for whoever looks.

The queue of the supervisor rounds deadlines up, so that it is never early. Here they are rounded
*down*: a tick that has not come holds nothing that is due. What is found in a tick that has come,
and is not due yet, moves to a finer tick; the finest is the deadline itself. So each item is moved
a few times in its life, none is looked at that cannot be due, and nobody pays for an order within a
tick that nobody asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from sessionstate._deadlines import CHUNK, FINEST, grain_of

if TYPE_CHECKING:
    from sessionstate._alarms import Tenancy

K = TypeVar("K")
T = TypeVar("T")

BATCH: Final = 64
"""How many items one call may look at that is not asked for all of them."""
SLICE: Final = 0.0005
"""Seconds that the supervisor's task may spend before others get their turn."""


def grain(span: float) -> float:
    """Return the granularity for what is due in *span* seconds: 0, or a power of two below it."""
    return grain_of(span) if span > FINEST else 0.0


class Ticks(Generic[K, T]):
    """
    Buckets of what is due from a tick on, earliest first.

    Runtime complexity: O(1) for a bucket that exists, O(log t) for a new one, where t is the number
    of ticks: at most some 500 for durations of one magnitude.
    """

    __slots__ = (
        "_armed",
        "_clock",
        "_heap",
        "_lanes",
        "_number",
        "_own",
        "_tenancy",
        "end",
        "latest",
        "next",
        "start",
        "tick",
    )

    next: float
    """Nothing is due before."""
    latest: dict[K, T]
    """Where most of what is written belongs: all from *start* to *end*, while there is room."""
    tick: float
    """That of the bucket asked for last."""

    def __init__(self, clock: Callable[[], float], own: float) -> None:
        self._clock = clock
        self._own = own  # the granularity of most
        self._tenancy: Tenancy | None = None
        self._number = 0
        self._heap: list[tuple[float, int, float, dict[K, T]]] = []
        self.clear()

    def house(self, tenancy: Tenancy) -> None:
        """Have *tenancy* ring when something is due."""
        self._tenancy = tenancy
        self._armed = inf

    def clear(self) -> None:
        """Forget everything, and let nothing hold what has to go."""
        for *_, bucket in self._heap:
            bucket.clear()
        self._lanes: dict[float, dict[float, dict[K, T]]] = {}
        self._heap = []
        self.next = inf
        self.latest = {}
        self.start = self.end = self.tick = inf
        if self._tenancy is None:
            self._armed = -inf  # below every deadline: nobody is to be woken
        else:
            self._armed = inf
            self._tenancy.clear()

    def bucket(self, due: float, grain: float) -> dict[K, T]:
        """Return what holds the items that are due about *due*, which is finite."""
        tick = due // grain * grain if grain else due
        lane = self._lanes.get(grain)
        if lane is None:
            lane = self._lanes[grain] = {}
        bucket = lane.get(tick)
        if bucket is None or len(bucket) >= CHUNK:
            bucket = lane[tick] = {}
            self._number += 1  # settles every tie
            heappush(self._heap, (tick, self._number, grain, bucket))
            if tick < self.next:
                self.next = tick
            if tick + grain < self._armed:
                self._arm(tick + grain, grain)
        if grain == self._own:
            if tick != self.start:  # one number for all of its entries
                self.start, self.end = tick, tick + grain
            tick, self.latest = self.start, bucket
        self.tick = tick
        return bucket

    def passed(self, now: float) -> dict[K, T] | None:
        """Return a bucket whose tick has come by *now*, if any with items has."""
        bucket = self._first()
        return bucket if self.next <= now else None

    def rearm(self, *, now: bool) -> None:
        """Have the tenancy, which has rung, ring for the next item, or at once for more of them."""
        self._armed = inf
        if now:
            self._arm(self._clock() - FINEST, FINEST)
        elif self._first():
            tick, _, grain, _ = self._heap[0]
            self._arm(tick + grain, grain)

    def _first(self) -> dict[K, T] | None:
        """Return the first bucket that holds something, and drop the emptied ones before it."""
        heap = self._heap
        while heap:
            tick, _, grain, bucket = heap[0]
            if bucket:
                self.next = tick
                return bucket
            heappop(heap)
            if self._lanes[grain].get(tick) is bucket:
                del self._lanes[grain][tick]
            if bucket is self.latest:
                self.start = self.end = inf
        self.next = inf
        return None

    def _arm(self, when: float, grain: float) -> None:
        tenancy = self._tenancy
        assert tenancy is not None
        self._armed = when
        if tenancy.clock is not self._clock:
            when += tenancy.clock() - self._clock()
        tenancy.set(when, 256 * grain)

    def _check(self) -> dict[int, tuple[float, dict[K, T]]]:
        """Raise AssertionError unless every invariant holds; return the buckets by their id."""
        heap = self._heap
        latest = {id(bucket) for lane in self._lanes.values() for bucket in lane.values()}
        assert latest <= {id(bucket) for *_, bucket in heap}, "a bucket that nobody will look at"
        assert self.end == inf or id(self.latest) in latest
        assert self.next <= min((tick for tick, *_ in heap), default=inf)
        ends = [tick + grain for tick, _, grain, bucket in heap if bucket]
        assert self._armed <= min(ends, default=inf), "nobody will ring in time"
        return {id(bucket): (tick, bucket) for tick, _, _, bucket in heap}
