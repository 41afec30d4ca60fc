"""
The only way to a session is open(), an asynccontextmanager that removes it however the block ends.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class McpSession:
    session_id: str
    roots: list[str] = field(default_factory=list)
    progress: dict[str, float] = field(default_factory=dict)  # clean: goes with the session


class Sessions:
    def __init__(self) -> None:
        self._open: dict[str, McpSession] = {}  # clean: open() pops in finally

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[McpSession]:
        session = McpSession(uuid.uuid4().hex)
        self._open[session.session_id] = session
        try:
            yield session
        finally:
            self._open.pop(session.session_id, None)

    def count(self) -> int:
        return len(self._open)

    async def notify_all(self, send: Any) -> None:
        for session_id in list(self._open):
            await send(session_id, {"method": "notifications/tools/list_changed"})
