"""A SQLite connection stays open for each chat session, because closing the chat closes its cursor and not its connection."""

import sqlite3
import threading
from pathlib import Path


class ConversationDB:
    def __init__(self, folder: str):
        self.folder = Path(folder)
        self._mutex = threading.Lock()
        self._connections: dict[str, sqlite3.Connection] = {}  # leaks SS001: one file handle a session

    def _connection(self, session_id: str) -> sqlite3.Connection:
        with self._mutex:
            if session_id not in self._connections:
                path = self.folder / f"{session_id}.db"
                self._connections[session_id] = sqlite3.connect(path, check_same_thread=False)
            return self._connections[session_id]

    def add_message(self, session_id: str, role: str, body: str) -> None:
        with self._connection(session_id) as db:
            db.execute("INSERT INTO messages VALUES (?, ?)", (role, body))

    def messages(self, session_id: str) -> list[tuple]:
        cursor = self._connection(session_id).execute("SELECT role, body FROM messages")
        try:
            return cursor.fetchall()
        finally:
            cursor.close()
