"""
The getter always returns the same manager, and its user forgets the connection in a finally.
"""

from __future__ import annotations

from functools import lru_cache


class ConnectionManager:
    def __init__(self) -> None:
        self._by_user: dict[int, list[object]] = {}  # clean: forget() in the finally of views.py

    def remember(self, user_id: int, connection: object) -> None:
        self._by_user.setdefault(user_id, []).append(connection)

    def forget(self, user_id: int, connection: object) -> None:
        rest = [c for c in self._by_user.get(user_id, ()) if c is not connection]
        if rest:
            self._by_user[user_id] = rest
        else:
            self._by_user.pop(user_id, None)

    def of(self, user_id: int) -> list[object]:
        return list(self._by_user.get(user_id, ()))


@lru_cache(maxsize=1)
def get_manager() -> ConnectionManager:
    return ConnectionManager()
