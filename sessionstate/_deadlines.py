"""
A queue of deadlines, in coarse ticks.

What a session needs of its deadline: that `touch` costs one attribute write, that opening and
closing cost the same among a million as among ten, and that nothing of a closed session is left
behind.

Prior art
---------
A heap with one row a session (asyncio, trio) leaves a tombstone for each one closed early, and
compacts them in one go: 0.7 s at a million. A timing wheel (Caffeine, Netty) needs intrusive lists,
which cost more in Python than they save. Here a `SortedDict` maps a *tick* to the sessions due by
then. Ticks are few (some 256 a timeout), sessions come and go in plain dicts.

Granularity
-----------
A deadline is rounded up to a multiple of a power of two that is at most a 256th of its timeout, and
at least 1/256 s: never early, late by at most a 256th of the timeout or 4 ms. Multiples of powers
of two are exact in binary floating point, so that ticks of all granularities live in one dict.

Chunks
------
A tick holds its sessions in several dicts of bounded size: one large dict would be copied when it
grows, which blocks the loop for tens of milliseconds at a million.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import frexp, inf, ldexp
from typing import Any, Final, Generic, Protocol, TypeVar

from sortedcontainers import SortedDict

FINEST: Final = 2.0**-8
CHUNK: Final = 5460  # what a dict of 8192 slots holds; one more and it is copied


class Queued(Protocol):
    """Whatever can wait for a deadline: it remembers the chunk that holds it."""

    _chunk: dict[Any, None] | None


def grain_of(timeout: float) -> float:
    """Return the granularity of a deadline: the power of two below a 256th of its timeout."""
    return inf if timeout == inf else max(FINEST, ldexp(1.0, frexp(timeout)[1] - 9))


Q = TypeVar("Q", bound=Queued)


def discard(item: Queued) -> None:
    """
    Forget *item*, if it is queued: an emptied tick stays until it would be next.

    A function, because naming the type of the items costs more than all of this.
    """
    chunk = item._chunk
    if chunk is not None:
        del chunk[item]
        if not chunk:
            chunk.clear()  # an emptied dict keeps its table
        item._chunk = None


class DeadlineQueue(Generic[Q]):
    """
    Sessions in the order of their deadlines, to within a tick.

    Runtime complexity: O(1) to add to a tick that exists and to discard; O(log t) for a new tick,
    where t is the number of ticks and not of sessions.
    """

    __slots__ = ("_ticks",)

    def __init__(self) -> None:
        self._ticks: SortedDict[float, list[dict[Q, None]]] = SortedDict()

    def __len__(self) -> int:
        return sum(len(chunk) for chunks in self._ticks.values() for chunk in chunks)

    def __iter__(self) -> Iterator[Q]:
        """Yield each one, earliest tick first, in the order of arrival within a tick."""
        for chunks in self._ticks.values():
            for chunk in chunks:
                yield from chunk

    def add(self, item: Q, due: float, grain: float) -> float:
        """
        Queue *item*, which is not queued, for *due*; return its tick.

        *grain* is `grain_of` the timeout that runs. An infinite *due* never comes.
        """
        tick = inf if due == inf else -(-due // grain) * grain
        ticks = self._ticks
        chunks = ticks.get(tick)
        if chunks is None:
            chunks = ticks[tick] = [{}]
        chunk: dict[Q, None] = chunks[-1]
        if len(chunk) >= CHUNK:
            chunk = {}
            chunks[:] = [each for each in chunks if each]
            chunks.append(chunk)
        chunk[item] = None
        item._chunk = chunk
        return tick

    def due(self, now: float) -> dict[Q, None] | None:
        """
        Return a chunk that has something due at *now*, if any has, to be emptied with `popitem`.
        """
        return None if self.next_tick() > now else self._ticks.peekitem(0)[1][-1]

    def next_tick(self) -> float:
        """
        Return the earliest tick that holds something, infinite if none does, and drop emptied ones.
        """
        ticks = self._ticks
        while ticks:
            tick, chunks = ticks.peekitem(0)
            while chunks and not chunks[-1]:
                chunks.pop()
            if chunks:
                return tick
            del ticks[tick]
        return inf

    def _check(self) -> None:
        """Raise AssertionError unless every invariant holds."""
        SortedDict._check(self._ticks)  # type: ignore[attr-defined]
        for chunks in self._ticks.values():
            assert chunks, "a tick without a chunk"
            for chunk in chunks:
                assert len(chunk) <= CHUNK, "a chunk too large"
                for item in chunk:
                    assert item._chunk is chunk, f"{item!r} does not know its chunk"
