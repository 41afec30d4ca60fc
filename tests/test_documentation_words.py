"""
What the documentation has to name: every reason, every duration, every page, every picture's text.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from sessionstate import CloseReason, SessionState, Supervisor
from tests.test_documentation import PAGES, ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCS = ROOT / "docs"
SHOTS = {"top.svg"}
"""Pictures of a terminal, which are dark anyway, and which the page beside them puts into words."""
PICTURES = sorted(
    path for path in DOCS.rglob("*.svg") if "_build" not in path.parts and path.name not in SHOTS
)
SVG = "{http://www.w3.org/2000/svg}"

LINK = re.compile(r"\]\((?P<to>[^)\s]+)\)")


def rows(heading: str) -> set[str]:
    """
    Return what the table below *heading* of the glossary has in its first column.
    """
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    part = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """
    A link from one page to another, or to a picture, leads to a file that is there.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in LINK.finditer(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)):
        target = found["to"].partition("#")[0]
        if target and "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page}: {found['to']}"


class TestGlossary:
    def test_reasons(self) -> None:
        """
        Every reason for which a session ends is in the table of reasons, and nothing else is.
        """
        assert rows("Reasons") == set(CloseReason)

    def test_states(self) -> None:
        """
        Every state is in the table of states, and nothing else is.
        """
        assert rows("States") == {state.name for state in SessionState}

    def test_durations(self) -> None:
        """
        Every duration that a supervisor takes is in the table of durations.
        """
        parameters = inspect.signature(Supervisor).parameters.values()
        durations = {each.name for each in parameters if "Seconds" in str(each.annotation)}
        assert "idle_timeout" in durations
        assert durations <= rows("Durations")


@pytest.mark.parametrize("folder", ["how-to", "explanation"])
def test_an_index_tells_of_each_page(folder: str) -> None:
    """
    Who looks through an index finds each page of the folder, with what it is about.
    """
    index = (DOCS / folder / "index.md").read_text(encoding="utf-8")
    pages = {path.stem for path in (DOCS / folder).glob("*.md")} - {"index"}
    assert set(re.findall(r"^- \{doc\}`([\w-]+)`: \S", index, re.MULTILINE)) == pages


class TestPictures:
    @pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
    def test_are_read_by_everybody(self, path: Path) -> None:
        """
        A drawing has a title and a description for screen readers, and colours for the dark.
        """
        root = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - it is our own
        labelled = root.attrib["aria-labelledby"].split()
        told = {each.attrib.get("id"): each.text for each in root if each.text}
        assert root.attrib["role"] == "img"
        assert all(told[id] for id in labelled)
        assert {each.tag for each in root} >= {f"{SVG}title", f"{SVG}desc"}
        assert "prefers-color-scheme: dark" in (root.findtext(f"{SVG}style") or "")

    def test_lifecycle_is_whole(self) -> None:
        """
        The picture of a session's life, and what is read out instead, name each state and reason.
        """
        root = ET.fromstring((DOCS / "images" / "lifecycle.svg").read_text(encoding="utf-8"))  # noqa: S314
        seen = " ".join("".join(each.itertext()) for each in root.iter(f"{SVG}text"))
        heard = root.findtext(f"{SVG}desc") or ""
        for name in (*CloseReason, *(state.name for state in SessionState)):
            assert re.search(rf"\b{name}\b", seen), name
            assert re.search(rf"\b{name}\b", heard), name
