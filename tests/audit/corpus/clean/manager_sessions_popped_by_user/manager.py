"""
The manager only opens sessions, and the server that uses it pops them from manager.sessions.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field


@dataclass
class TerminalSession:
    cols: int
    rows: int
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    scrollback: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> None:
        self.scrollback += data
        del self.scrollback[:-65536]


class SessionManager:
    def __init__(self) -> None:
        self.sessions: dict[str, TerminalSession] = {}  # clean: server.py pops in finally

    def open(self, cols: int = 80, rows: int = 24) -> TerminalSession:
        session = TerminalSession(cols, rows)
        self.sessions[session.id] = session
        return session
