"""A mapping whose entries expire."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from enum import Enum
from math import inf
from typing import Any, Final, Generic, TypeVar, overload

from sessionstate._clock import Seconds, limit

from ._causes import EvictionCause
from ._container import MISSING
from ._keeping import Entry, Keeping

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")


class Own(Enum):
    """The default of a duration that a call did not name, where None has a meaning."""

    OWN = "own"

    def __repr__(self) -> str:
        return "<the map's>"


OWN: Final = Own.OWN


class ExpiringMap(Keeping[K, V], Generic[K, V]):
    """
    A mapping whose entries expire, and which may be bounded in number and in weight.

    An entry is gone at *ttl* seconds after it was written, or *idle* seconds after it was last
    used, whichever comes first, to the very moment: at its deadline it is not there any more. When
    there is no room, what has expired goes first, and then what was used least recently. Item
    access, `get`, `setdefault`, `touch` and writes are uses; `in`, `len`, iteration, `keys`,
    `values`, `items`, ``==``, `repr`, `peek` and `ttl` are not.

    Alone, the map lets go of what has expired when it is written to, and in `expire`. On behalf of
    a supervisor or a session it does so promptly, within 1/256 of the duration or 5 ms; it is
    cleared when the owner ends, and writes raise from then on.

    Every entry that leaves is told to *on_evict* once, with a cause, when the map is in order
    again: the hook may use the map, and finds the new value where one was replaced. All hooks of an
    operation run; their errors are raised together, as an `ExceptionGroup`, when it is done.
    Reading runs no hook. Writing the very same object again replaces nothing: only its times begin
    anew.

    It is for one thread. Iteration is over a snapshot.

    Runtime complexity: O(1) for one key, amortised, and for `len`; a write lets go of at most 64
    entries that have expired.

    Args:
        ttl: Seconds from its writing after which an entry is gone; None for never.
        idle: Seconds from its last use after which an entry is gone; None for never.
        maxsize: How many entries there may be at most; None for any number.
        max_weight: How heavy all entries together may be at most.
        weigher: Tells the weight of an entry, a whole number, from its key and value.
        on_evict: Called with key, value and `EvictionCause` of each entry that leaves.
        clock: A monotonic clock, in seconds. Default: the owner's, or `time.monotonic`.
        supervisor: The supervisor on whose behalf the map keeps things.
        session: The session on whose behalf the map keeps things, instead.

    .. versionadded:: 0.1
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<ExpiringMap of {len(self)}>"

    # Uses

    def __getitem__(self, key: K) -> V:
        entry = self._entries[key]
        now = self._clock()
        if now >= entry.tick and now >= entry.due:
            raise KeyError(key)
        if entry.idle is not None:
            due = now + entry.idle
            if due > entry.due:  # never back: it waits where nothing is due before its tick
                entry.due = due if due < entry.expires else entry.expires
        ring = self._ring
        if ring is not None and entry.newer is not ring:
            older, newer = entry.older, entry.newer
            older.newer = newer
            newer.older = older
            last = entry.older = ring.older
            entry.newer = ring
            last.newer = ring.older = entry
        return entry.value

    @overload
    def get(self, key: K, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V | D, /) -> V | D: ...
    def get(self, key: K, default: V | D | None = None, /) -> V | D | None:
        """
        Return the value, or *default* if there is none.
        """
        # Written out, as item access is: it is what a cache does most.
        entry = self._entries.get(key)
        if entry is None:
            return default
        now = self._clock()
        if now >= entry.tick and now >= entry.due:
            return default
        if entry.idle is not None:
            due = now + entry.idle
            if due > entry.due:
                entry.due = due if due < entry.expires else entry.expires
        ring = self._ring
        if ring is not None and entry.newer is not ring:
            older, newer = entry.older, entry.newer
            older.newer = newer
            newer.older = older
            last = entry.older = ring.older
            entry.newer = ring
            last.newer = ring.older = entry
        return entry.value

    def touch(self, key: K) -> bool:
        """
        Use an entry: its *idle* begins anew, its *ttl* goes on.

        Returns:
            True if it is there.
        """
        entry = self._entries.get(key)
        if entry is None:
            return False
        now = self._clock()
        if now >= entry.tick and now >= entry.due:
            return False
        self._use(entry, now)
        return True

    def setdefault(self, key: K, default: V, /) -> V:
        """
        Return the value, and store *default* first if there is none.
        """
        entry = self._entries.get(key)
        now = self._clock()
        if entry is None or now >= entry.due:
            self._put(key, default, now=now)
            return default
        self._use(entry, now)
        return entry.value

    def _use(self, entry: Entry[K, V], now: float) -> None:
        if entry.idle is not None:
            due = now + entry.idle
            if due > entry.due:
                entry.due = due if due < entry.expires else entry.expires
        if self._ring is not None:
            entry.leave()
            self._ring.append(entry)

    # Looks

    @overload
    def peek(self, key: K, default: None = None) -> V | None: ...
    @overload
    def peek(self, key: K, default: V | D) -> V | D: ...
    def peek(self, key: K, default: V | D | None = None) -> V | D | None:
        """
        Return the value, or *default*, which is no use of the entry.
        """
        entry = self._entries.get(key)
        return default if entry is None or self._clock() >= entry.due else entry.value

    def ttl(self, key: K) -> float | None:
        """
        Return the seconds until the entry is gone if nobody uses it; None if it stays.

        Raises:
            KeyError: If there is no such entry.
        """
        entry = self._entries[key]
        now = self._clock()
        if now >= entry.due:
            raise KeyError(key)
        return None if entry.due == inf else entry.due - now

    def __contains__(self, key: object) -> bool:
        entry = self._entries.get(key)  # type: ignore[arg-type]
        return entry is not None and self._clock() < entry.due

    def __len__(self) -> int:
        now = self._clock()
        if now >= self._ticks.next:
            self._ripen(now, inf)
        return len(self._entries) - len(self._ripe)

    def _live(self) -> dict[K, V]:
        now = self._clock()
        return {key: entry.value for key, entry in self._entries.items() if now < entry.due}

    def __iter__(self) -> Iterator[K]:
        return iter(self._live())

    def keys(self) -> KeysView[K]:
        """
        Return the keys, as a snapshot.
        """
        return self._live().keys()

    def values(self) -> ValuesView[V]:
        """
        Return the values, as a snapshot.
        """
        return self._live().values()

    def items(self) -> ItemsView[K, V]:
        """
        Return the keys with their values, as a snapshot.
        """
        return self._live().items()

    # Writes

    def set(
        self,
        key: K,
        value: V,
        *,
        ttl: Seconds | Own | None = OWN,
        idle: Seconds | Own | None = OWN,
    ) -> None:
        """
        Store a value, with durations of its own.

        Args:
            key: The key.
            value: The value.
            ttl: Seconds after which the entry is gone; None for never. Default: the map's.
            idle: Seconds without a use after which it is gone; None for never. Default: the map's.

        Raises:
            ValueError: If the entry alone is heavier than *max_weight*.
            SessionClosed: If the owning session has ended.
            SupervisorClosed: If the owning supervisor was left.
        """
        lasts = self._ttl if isinstance(ttl, Own) else limit("ttl", ttl)
        rests = self._idle if isinstance(idle, Own) else limit("idle", idle)
        self._put(key, value, lasts, rests)

    def __delitem__(self, key: K) -> None:
        if self._loads:
            self._detach(key)
        entry = self._entries[key]
        now = self._clock()
        if now >= entry.tick and now >= entry.due:
            self._remove(entry, self._cause(entry))
            self._finish()
            raise KeyError(key)
        del self._entries[key]
        if entry.bucket is not None:
            del entry.bucket[key]
        if self._ring is not None:
            older, newer = entry.older, entry.newer
            older.newer = newer
            newer.older = older
        if self._weigher is not None:
            self._weight -= entry.weight
        if self._on_evict is not None:
            self._left.append((key, entry.value, EvictionCause.DELETED))
            self._tell()

    @overload
    def pop(self, key: K, /) -> V: ...
    @overload
    def pop(self, key: K, default: V | D, /) -> V | D: ...
    def pop(self, key: K, default: Any = MISSING, /) -> Any:
        """
        Remove an entry and return its value; *default*, if given, where there is none.
        """
        entry = self._entries.get(key)
        try:
            del self[key]
        except KeyError:
            if default is MISSING:
                raise
            return default
        assert entry is not None
        return entry.value

    def popitem(self) -> tuple[K, V]:
        """
        Remove the last entry of the iteration, as a dict does, and return its key and value.

        Raises:
            KeyError: If the map is empty.
        """
        now = self._clock()
        while self._entries:
            key, entry = self._entries.popitem()
            if now < entry.due:
                self._part(entry, EvictionCause.DELETED)
                self._finish()
                return key, entry.value
            self._part(entry, self._cause(entry))
        self._finish()
        raise KeyError("popitem(): the map is empty")

    def clear(self) -> None:
        """
        Remove every entry.
        """
        now = self._clock()
        if self._on_evict is not None:
            for key, entry in self._entries.items():
                cause = EvictionCause.CLEARED if now < entry.due else self._cause(entry)
                self._left.append((key, entry.value, cause))
        for key in list(self._loads):
            self._detach(key)
        if self._ring is not None:
            self._ring.part()
            self._ring.begin()
        self._entries.clear()
        self._ripe.clear()
        self._ticks.clear()
        self._weight = 0
        self._look_again()
        self._finish()

    def expire(self) -> int:
        """
        Let go of everything that has expired, and return how many entries that were.
        """
        before = len(self._entries)
        self._let_go(self._clock(), inf)
        gone = before - len(self._entries)
        self._finish()
        return gone
