"""
What an audit remembers, after somebody made something else of it.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any, Final

import pytest

from sessionstate.audit import _remembered
from sessionstate.audit.formats import as_json, as_sarif, as_text, inventory_as_text
from tests.audit.remembering import CHAT, EMPTY, forge, judged, kept, look, packed, project

__all__ = ["judged", "project"]
pytestmark = pytest.mark.usefixtures("project", "judged")

WRONG: Final[dict[str, object]] = {
    "": [],
    "0": {},
    "1": "text",
    "2": -1,
    "0 0": [],
    "0 0 0": "SS009",
    "0 0 1": "SS999",
    "0 0 2": "/etc/passwd",
    "0 0 3": True,
    "0 0 4": 1.5,
    "0 0 5": None,
    "0 0 6": [],
    "0 0 7": "certain",
    "0 0 8": 7,
    "0 0 9": [[1, "end"]],
    "0 0 12": [],
    "0 0 13": ["text"],
    "0 0 10 0 0": ["app/chat.py"],
    "0 0 10 0 1": 10**30,
    "0 0 10 0 3": {},
    "1 0": "12345678",
    "1 0 2 0": "../secret.py",
    "1 0 3": "fine",
    "1 0 5": "1",
}
"""Changes to what is remembered: what is there instead, by the indices that lead to it."""


class TestHarm:
    @pytest.mark.parametrize(
        "data",
        [
            None,
            7,
            "text",
            b"",
            b"garbage",
            zlib.compress(b"[1,2"),
            zlib.compress(b"\xff"),
            zlib.compress(b"[" * 100_000),
            zlib.compress(b"9" * 10_000),
            packed(EMPTY)[:-3],
            packed(EMPTY[:2]),
            packed({"findings": []}),
            packed("abc"),
        ],
    )
    def test_garbage(self, judged: list[int], data: object) -> None:
        """
        What is no memory is ignored, and replaced.
        """
        before = look()
        forge(data)
        assert look() == before
        assert look() == before
        assert judged == [2, 2]

    @pytest.mark.parametrize(("where", "value"), WRONG.items())
    def test_wrong(self, judged: list[int], where: str, value: object) -> None:
        """
        Neither is one believed of which a single value is wrong, or leads to another file.
        """
        before = look()
        told = [json.loads(zlib.decompress(kept()[0][1]))]
        path = [0, *map(int, where.split())]
        inner: Any = told
        for index in path[:-1]:
            inner = inner[index]
        inner[path[-1]] = value
        forge(packed(told[0]))
        assert look() == before
        assert judged == [2, 2]

    def test_too_large(self, judged: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Nor is one that takes too much memory.
        """
        look()
        monkeypatch.setattr(_remembered, "LARGEST", 100)
        look()
        assert judged == [2, 2]

    def test_made_up(self, judged: list[int]) -> None:
        """
        What is made up, but of the right form, is at worst a wrong text, in every format.
        """
        look()
        told = json.loads(zlib.decompress(kept()[0][1]))
        told[0][0][3:6] = [0, 2**31 - 1, "\x1b[31m\ud800"]
        told[0][0][9] = [[0, "nonsense", "\u202e"]]
        told[0][0][10] = told[0][0][11] = [["app/chat.py", 2**31 - 1, 0, "\ud800"]]
        told[0][0][12] = None
        told[1][0] = ["\ud800", "", ["app/chat.py", 0, 0, ""], "leak", "", 0, 0, "nonsense"]
        forge(packed(told))
        report = look(confidence="low")
        assert judged == [2]
        for form in (as_json, as_text, as_sarif):
            assert form(report)
        assert inventory_as_text(report)

    def test_letters(self) -> None:
        """
        What is not ASCII is remembered as well.
        """
        Path("app/chat.py").write_text(CHAT.replace("agents", "agénts"))
        before = look()
        assert before.findings[0].container == "agénts"
        assert look() == before
