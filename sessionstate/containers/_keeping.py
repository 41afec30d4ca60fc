"""How a map keeps what expires: its entries, their deadlines, their order and their weight."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sessionstate._clock import Seconds, limit
from sessionstate._deadlines import CHUNK

from ._causes import EvictionCause
from ._container import Container, clock_of, limit_of
from ._recency import Link
from ._ticks import BATCH, SLICE, Ticks, grain

if TYPE_CHECKING:
    from sessionstate._session import Session
    from sessionstate._supervisor import Supervisor

K = TypeVar("K")
V = TypeVar("V")


class Entry(Link[K], Generic[K, V]):
    """A value with its times. A read writes nothing but *due*."""

    # No __init__, which would be a quarter of what a write costs.

    __slots__ = ("bucket", "due", "expires", "idle", "tick", "value", "weight")

    value: V
    weight: int
    """Set where there is a weigher."""
    tick: float
    """It is there before, for certain: one number for many entries, and so in the cache."""
    due: float
    """From when on it is not there any more; -inf once that was noticed."""
    idle: float | None
    """Seconds that each use moves *due* ahead, if it does."""
    expires: float
    """The latest that *due* can be moved to, if it can."""
    bucket: dict[Any, Entry[K, V]] | None
    """Where it waits for a moment that is not after *due*."""


class Keeping(Container[K, V], Generic[K, V]):
    """The half of `ExpiringMap` that keeps and lets go."""

    __slots__ = (
        "_clock",
        "_entries",
        "_grain",
        "_idle",
        "_max_weight",
        "_maxsize",
        "_ring",
        "_ripe",
        "_span",
        "_ticks",
        "_ttl",
        "_weigher",
        "_weight",
    )

    def __init__(
        self,
        *,
        ttl: Seconds | None = None,
        idle: Seconds | None = None,
        maxsize: int | None = None,
        max_weight: int | None = None,
        weigher: Callable[[K, V], int] | None = None,
        on_evict: Callable[[K, V, EvictionCause], object] | None = None,
        clock: Callable[[], float] | None = None,
        supervisor: Supervisor | None = None,
        session: Session | None = None,
    ) -> None:
        self._ttl = limit("ttl", ttl)
        self._idle = limit("idle", idle)
        self._span = min(self._ttl, self._idle)
        self._grain = grain(self._span)
        self._maxsize = limit_of("maxsize", maxsize)
        self._max_weight = limit_of("max_weight", max_weight)
        if (weigher is None) is not (max_weight is None):
            raise ValueError("max_weight and weigher belong together: give both, or neither")
        if weigher is not None and not callable(weigher):
            raise TypeError(f"weigher must be a function (key, value), not {weigher!r}")
        self._weigher = weigher
        self._weight = 0
        # Recency is kept where it decides something, and only there.
        bounded = self._maxsize < inf or self._max_weight < inf
        self._ring = Link[K]().begin() if bounded else None
        self._entries: dict[K, Entry[K, V]] = {}
        self._ripe: dict[K, Entry[K, V]] = {}
        """What was found expired, and is to be let go of."""
        super().__init__(on_evict, supervisor, session)
        self._clock = clock_of(self._tenancy, clock)
        self._ticks: Ticks[K, Entry[K, V]] = Ticks(self._clock, self._grain)
        if self._tenancy is not None:
            self._ticks.house(self._tenancy)

    def __del__(self) -> None:
        # An entry and its bucket, and the links of a ring, hold each other.
        if hasattr(self, "_ticks"):
            self._ripe.clear()
            self._ticks.clear()
            if self._ring is not None:
                self._ring.part()

    def _put(
        self,
        key: K,
        value: V,
        ttl: float | None = None,
        idle: float = inf,
        now: float | None = None,
    ) -> None:
        # In one piece, as it is what a write costs.
        if now is None:
            now = self._clock()
        weight = 0 if self._weigher is None else self._weigh(key, value)
        ticks, entries = self._ticks, self._entries
        if now >= ticks.next:
            if self._over is not None:
                raise self._over()
            self._let_go(now, BATCH)
        if self._loads:
            self._detach(key)
        bucket: dict[K, Entry[K, V]] | None
        if ttl is None:
            ttl, idle, bucket, tick = self._ttl, self._idle, ticks.latest, ticks.start
            due = now + self._span
            if not tick <= due < ticks.end or len(bucket) >= CHUNK:
                bucket, tick = self._bucket(due, self._grain)
        else:
            span = min(ttl, idle)
            due = now + span
            bucket, tick = self._bucket(due, grain(span))

        entry, ring = entries.get(key), self._ring
        if entry is not None and now >= entry.due:
            self._remove(entry, self._cause(entry))
            entry = None
        if entry is None:
            entry = entries[key] = Entry()
            entry.key = key
            if ring is not None:
                last = entry.older = ring.older
                entry.newer = ring
                last.newer = ring.older = entry
            if bucket is not None:
                bucket[key] = entry
            if self._weigher is not None:
                entry.weight = 0
        else:
            if self._on_evict is not None and entry.value is not value:
                self._left.append((key, entry.value, EvictionCause.REPLACED))
            if ring is not None:
                entry.leave()
                ring.append(entry)
            if entry.tick is tick:
                bucket = entry.bucket  # which is as good
            else:
                if entry.bucket is not None:
                    del entry.bucket[key]
                if bucket is not None:
                    bucket[key] = entry
        entry.value = value
        entry.bucket = bucket
        entry.tick = tick
        entry.due = due
        if idle < inf:
            entry.idle = idle
            entry.expires = now + ttl
        else:
            entry.idle = None

        if self._weigher is not None:
            self._weight += weight - entry.weight
            entry.weight = weight
        while len(entries) > self._maxsize or self._weight > self._max_weight:
            self._make_room(now)
        if self._left:
            self._tell()

    if TYPE_CHECKING:

        def __setitem__(self, key: K, value: V) -> None: ...

    else:
        __setitem__ = _put

    def _bucket(self, due: float, grain: float) -> tuple[dict[K, Entry[K, V]] | None, float]:
        """Return where what is due at *due* waits, and from when on it is looked at."""
        ticks = self._ticks
        return (None, inf) if due == inf else (ticks.bucket(due, grain), ticks.tick)

    def _weigh(self, key: K, value: V) -> int:
        assert self._weigher is not None
        weight: object = self._weigher(key, value)
        if type(weight) is bool or not isinstance(weight, int) or weight < 0:
            raise ValueError(
                f"the weight of {key!r} must be a whole number, at least 0, not {weight!r}: "
                f"the weigher counts bytes, or other small units"
            )
        if weight > self._max_weight:
            raise ValueError(
                f"the entry {key!r} weighs {weight}, more than the map may altogether "
                f"({self._max_weight}): store less, or raise max_weight"
            )
        return weight

    def _make_room(self, now: float) -> None:
        """Let go of some of what has expired; if nothing has, of what was used least recently."""
        if now >= self._ticks.next:
            self._let_go(now, BATCH)
        else:
            full = len(self._entries) > self._maxsize
            assert self._ring is not None
            cause = EvictionCause.SIZE if full else EvictionCause.WEIGHT
            self._remove(self._ring.newer, cause)

    def _ripen(self, now: float, most: float) -> None:
        """Look at *most* entries that may have expired; note those that have."""
        ticks, ripe = self._ticks, self._ripe
        while most > 0 and (bucket := ticks.passed(now)):
            while bucket and most > 0:
                most -= 1
                key, entry = bucket.popitem()
                if entry.due > now:  # it was used since, or its deadline is within the tick
                    entry.bucket = ticks.bucket(entry.due, grain(entry.due - now))
                    entry.bucket[key] = entry
                    entry.tick = ticks.tick
                else:
                    if entry.idle is not None and entry.due == entry.expires:
                        entry.idle = None
                    entry.tick = entry.due = -inf
                    entry.bucket = ripe
                    ripe[key] = entry
        self._look_again()

    def _let_go(self, now: float, most: float) -> bool:
        """Let go of *most* entries that have expired; tell whether there may be more of them."""
        if now >= self._ticks.next:
            self._ripen(now, most)
        ripe = self._ripe
        while ripe and most > 0:
            most -= 1
            entry = ripe.popitem()[1]
            entry.bucket = None
            self._remove(entry, self._cause(entry))
        self._look_again()
        return now >= self._ticks.next

    def _look_again(self) -> None:
        """Have the next write look here first, if there is anything to be done before."""
        self._ticks.passed(-inf)
        if self._ripe or self._over is not None:
            self._ticks.next = -inf

    @staticmethod
    def _cause(entry: Entry[K, V]) -> EvictionCause:
        """Return why *entry*, which has expired, did."""
        idle = entry.idle is not None and entry.due < entry.expires
        return EvictionCause.IDLE if idle else EvictionCause.EXPIRED

    def _remove(self, entry: Entry[K, V], cause: EvictionCause) -> None:
        del self._entries[entry.key]
        self._part(entry, cause)

    def _part(self, entry: Entry[K, V], cause: EvictionCause) -> None:
        """Let go of *entry*, which is not among the entries any more."""
        if self._ring is not None:
            entry.leave()
        if self._weigher is not None:
            self._weight -= entry.weight
        if entry.bucket is not None:
            del entry.bucket[entry.key]
        if self._on_evict is not None:
            self._left.append((entry.key, entry.value, cause))

    def _finish(self) -> None:
        if self._left:
            self._tell()

    def _overdue(self) -> None:
        now, until = self._clock(), perf_counter() + SLICE
        try:
            while self._let_go(now, BATCH) and perf_counter() < until:
                self._finish()
        finally:
            self._ticks.rearm(now=now >= self._ticks.next)
        self._finish()

    def _check(self) -> None:
        """Raise AssertionError unless every invariant holds."""
        entries = self._entries
        assert len(entries) <= self._maxsize
        if self._ring is not None:
            self._ring._check(entries)
        if self._weigher is not None:
            assert self._weight == sum(entry.weight for entry in entries.values())
            assert self._weight <= self._max_weight
        queued = {id(self._ripe): -inf}
        waiting = len(self._ripe)
        for name, (tick, bucket) in self._ticks._check().items():
            queued[name] = tick
            waiting += len(bucket)
        for key, entry in entries.items():
            if entry.bucket is None:
                assert entry.tick == entry.due == inf, f"{key!r} would never be noticed"
                continue
            waiting -= 1
            assert entry.bucket[key] is entry
            assert queued[id(entry.bucket)] == entry.tick <= entry.due < inf, f"{key!r} is late"
            assert entry.idle is None or entry.due <= entry.expires
        assert not waiting, f"{waiting} wait for nothing"
        assert not self._left, "somebody was not told"
