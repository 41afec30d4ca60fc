"""A mapping of bounded size that keeps what was used last."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ._causes import EvictionCause
from ._container import MISSING, Container, limit_of
from ._recency import Link

if TYPE_CHECKING:
    from sessionstate._session import Session
    from sessionstate._supervisor import Supervisor

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")


class Node(Link[K], Generic[K, V]):
    """A value with its place."""

    __slots__ = ("value",)

    value: V


class LRUCache(Container[K, V], Generic[K, V]):
    """
    A mapping of bounded size: when there is no room, what was used least recently goes.

    Item access, `get`, `setdefault` and writes are uses; `in`, `len`, iteration, `keys`, `values`,
    `items`, ``==``, `repr` and `peek` are not. Iteration is over a snapshot, from what was used
    least recently to what was used last. Hooks, owners and threads are as of an `ExpiringMap`.

    Runtime complexity: O(1) for one key, always: nothing is ever rebuilt.

    Args:
        maxsize: How many entries there may be at most; None for any number.
        on_evict: Called with key, value and `EvictionCause` of each entry that leaves.
        supervisor: The supervisor on whose behalf the cache keeps things.
        session: The session on whose behalf the cache keeps things, instead.

    .. versionadded:: 0.1
    """

    __slots__ = ("_entries", "_maxsize", "_ring")

    def __init__(
        self,
        *,
        maxsize: int | None,
        on_evict: Callable[[K, V, EvictionCause], object] | None = None,
        supervisor: Supervisor | None = None,
        session: Session | None = None,
    ) -> None:
        self._maxsize = limit_of("maxsize", maxsize)
        self._entries: dict[K, Node[K, V]] = {}
        self._ring = Link[K]().begin()
        super().__init__(on_evict, supervisor, session)

    def __del__(self) -> None:
        ring = getattr(self, "_ring", None)
        if ring is not None:
            ring.part()

    def __repr__(self) -> str:
        return f"<LRUCache of {len(self._entries)}>"

    def __getitem__(self, key: K) -> V:
        node, ring = self._entries[key], self._ring
        if node.newer is not ring:
            older, newer = node.older, node.newer
            older.newer = newer
            newer.older = older
            last = node.older = ring.older
            node.newer = ring
            last.newer = ring.older = node
        return node.value

    @overload
    def get(self, key: K, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V | D, /) -> V | D: ...
    def get(self, key: K, default: V | D | None = None, /) -> V | D | None:
        """
        Return the value, or *default* if there is none.
        """
        # Written out, as item access is: it is what a cache does most.
        node, ring = self._entries.get(key), self._ring
        if node is None:
            return default
        if node.newer is not ring:
            older, newer = node.older, node.newer
            older.newer = newer
            newer.older = older
            last = node.older = ring.older
            node.newer = ring
            last.newer = ring.older = node
        return node.value

    @overload
    def peek(self, key: K, default: None = None) -> V | None: ...
    @overload
    def peek(self, key: K, default: V | D) -> V | D: ...
    def peek(self, key: K, default: V | D | None = None) -> V | D | None:
        """
        Return the value, or *default*, which is no use of the entry.
        """
        node = self._entries.get(key)
        return default if node is None else node.value

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def _snapshot(self) -> dict[K, V]:
        nodes: dict[K, V] = {}
        node = self._ring.newer
        while node is not self._ring:
            nodes[node.key] = node.value
            node = node.newer
        return nodes

    def __iter__(self) -> Iterator[K]:
        return iter(self._snapshot())

    def keys(self) -> KeysView[K]:
        """
        Return the keys, as a snapshot.
        """
        return self._snapshot().keys()

    def values(self) -> ValuesView[V]:
        """
        Return the values, as a snapshot.
        """
        return self._snapshot().values()

    def items(self) -> ItemsView[K, V]:
        """
        Return the keys with their values, as a snapshot.
        """
        return self._snapshot().items()

    def __setitem__(self, key: K, value: V) -> None:
        if self._over is not None:
            raise self._over()
        if self._loads:
            self._detach(key)
        entries, ring = self._entries, self._ring
        node = entries.get(key)
        if node is None:
            node = entries[key] = Node()
            node.key = key
            node.value = value
            ring.append(node)
            if len(entries) > self._maxsize:
                self._remove(ring.newer, EvictionCause.SIZE)
        else:
            if self._on_evict is not None and node.value is not value:
                self._left.append((key, node.value, EvictionCause.REPLACED))
            node.value = value
            node.leave()
            ring.append(node)
        if self._left:
            self._tell()

    def __delitem__(self, key: K) -> None:
        self.pop(key)

    @overload
    def pop(self, key: K, /) -> V: ...
    @overload
    def pop(self, key: K, default: V | D, /) -> V | D: ...
    def pop(self, key: K, default: Any = MISSING, /) -> Any:
        """
        Remove an entry and return its value; *default*, if given, where there is none.
        """
        if self._loads:
            self._detach(key)
        node = self._entries.get(key)
        if node is None:
            if default is MISSING:
                raise KeyError(key)
            return default
        self._remove(node, EvictionCause.DELETED)
        if self._left:
            self._tell()
        return node.value

    def popitem(self) -> tuple[K, V]:
        """
        Remove the entry that was used last, as a dict does, and return its key and value.

        Raises:
            KeyError: If the cache is empty.
        """
        if not self._entries:
            raise KeyError("popitem(): the cache is empty")
        key: K = self._ring.older.key
        return key, self.pop(key)

    def clear(self) -> None:
        """
        Remove every entry.
        """
        for key in list(self._loads):
            self._detach(key)
        if self._on_evict is not None:
            for entry in self._snapshot().items():
                self._left.append((*entry, EvictionCause.CLEARED))
        self._entries.clear()
        self._ring.part()
        self._ring.begin()
        if self._left:
            self._tell()

    def _remove(self, node: Node[K, V], cause: EvictionCause) -> None:
        del self._entries[node.key]
        node.leave()
        if self._on_evict is not None:
            self._left.append((node.key, node.value, cause))

    def _check(self) -> None:
        """Raise AssertionError unless every invariant holds."""
        assert len(self._entries) <= self._maxsize
        assert not self._left, "somebody was not told"
        self._ring._check(self._entries)
