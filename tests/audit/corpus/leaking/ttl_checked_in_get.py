"""An expired session goes only when its own visitor comes back, because get() is the one place that looks at the time."""

import time
from typing import Any


class MemoryStore:
    def __init__(self, default_ttl: float = 1800):
        self.default_ttl = default_ttl
        self._rows: dict[str, tuple[float, Any]] = {}  # leaks SS002g: an id that never returns is never deleted

    async def set(self, session_id: str, value: Any, ttl: float | None = None) -> None:
        self._rows[session_id] = (time.monotonic() + (ttl or self.default_ttl), value)

    async def get(self, session_id: str) -> Any:
        row = self._rows.get(session_id)
        if row is None:
            return None
        expires, value = row
        if expires < time.monotonic():
            del self._rows[session_id]
            return None
        return value


class SessionMiddleware:
    def __init__(self, app, store: MemoryStore):
        self.app = app
        self.store = store

    async def __call__(self, scope, receive, send):
        sid = dict(scope["headers"]).get(b"x-sid", b"").decode()
        scope["session"] = await self.store.get(sid) or {}
        await self.app(scope, receive, send)
        await self.store.set(sid, scope["session"])
