"""
A small project, audited again and again.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from sessionstate.audit import _deciding
from sessionstate.audit._audit import audit
from sessionstate.audit._cache import NAME
from sessionstate.audit._findings import Report
from sessionstate.audit._project import Module
from sessionstate.audit._remembered import Judged, code
from sessionstate.audit._settings import Settings

CHAT: Final = """\
agents = {}
waiting = {}
REGIONS = {}


async def chat(session_id, agent):
    agents[session_id] = agent
    waiting[session_id] = agent
    await agent.run()
    del waiting[session_id]


class Hub:
    def __init__(self):
        self._rooms = {}

    async def join(self, room_ref, peer):
        self._rooms[room_ref] = peer
"""
EMPTY: Final[list[object]] = [(), (), 0]
"""Nothing, as it would be remembered."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    Be in a project.
    """
    (tmp_path / "app").mkdir()
    (tmp_path / "app/chat.py").write_text(CHAT)
    (tmp_path / "app/empty.py").write_text("x = 1\n")
    (tmp_path / "app/broken.py").write_text("x = (\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """
    Note of how many modules each judging was.
    """
    noted: list[int] = []
    real = _deciding.decided

    def decided(modules: Sequence[Module], settings: Settings) -> Judged:
        noted.append(len(modules))
        return real(modules, settings)

    monkeypatch.setattr(_deciding, "decided", decided)
    yield noted
    code.cache_clear()


def look(*paths: str, **settings: Any) -> Report:
    """
    Audit what is at *paths*.
    """
    values: dict[str, Any] = {"jobs": 1, **settings}
    return audit(paths or ("app",), settings=Settings(**values))


def kept() -> list[tuple[bytes, bytes]]:
    """
    Return what is remembered, the oldest first.
    """
    base = sqlite3.connect(Path(".sessionstate_cache", NAME))
    try:
        return base.execute("SELECT key, data FROM judged ORDER BY rowid").fetchall()
    finally:
        base.close()


def forge(data: object) -> None:
    """
    Replace all that is remembered.
    """
    base = sqlite3.connect(Path(".sessionstate_cache", NAME))
    with base:
        base.execute("UPDATE judged SET data = ?", (data,))
    base.close()


def packed(value: object) -> bytes:
    """
    Return *value* as it would be remembered.
    """
    return zlib.compress(json.dumps(value).encode())
