"""Each read of the cache searches a list from its start, because the order of use is a list that loses and gains the key."""

from typing import Any


class LRUCache:
    def __init__(self, size: int = 5000):
        self.size = size
        self._data: dict[str, Any] = {}  # clean: never more than size
        self._order: list[str] = []  # leaks SS008: remove() and append() on each read

    def get(self, key: str, default: Any = None) -> Any:
        if key not in self._data:
            return default
        self._order.remove(key)
        self._order.append(key)
        return self._data[key]

    def put(self, key: str, value: Any) -> None:
        if key in self._data:
            self._order.remove(key)
        self._data[key] = value
        self._order.append(key)
        while len(self._order) > self.size:
            del self._data[self._order.pop(0)]


embeddings = LRUCache()
