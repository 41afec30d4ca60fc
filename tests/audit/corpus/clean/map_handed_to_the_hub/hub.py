"""
A hub for a map that somebody else has made.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any


class Hub:
    def __init__(self, connections: MutableMapping[str, Any]) -> None:
        self._connections = connections

    async def attend(self, user_id: str, ws: Any) -> None:
        self._connections[user_id] = ws
        try:
            async for text in ws.iter_text():
                await self.tell_all(f"{user_id}: {text}")
        finally:
            if self._connections.get(user_id) is ws:
                del self._connections[user_id]

    async def tell_all(self, text: str) -> None:
        for ws in list(self._connections.values()):
            await ws.send_text(text)
