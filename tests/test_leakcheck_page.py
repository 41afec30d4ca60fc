"""
The page that a leak check writes, and what a browser makes of it.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from math import inf
from pathlib import Path

import pytest

from sessionstate.testing import Verdict
from sessionstate.testing._leak_page import pages
from tests.test_leakcheck_report import ENTRIES, FLAT, HELD, ROUNDS, SITE, TASKS, report


class Page(HTMLParser):
    """
    What a page consists of.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.links: list[str] = []
        self.places: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """
        Count a tag, and note what it loads.
        """
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        self.places += [f"#{value}" for name, value in attrs if name == "id"]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """
        Count a tag that ends at once.
        """
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """
        Close what was opened last.
        """
        assert self.open.pop() == tag


class TestPage:
    def test_is_whole_and_loads_nothing(self) -> None:
        """
        The page is well-formed, plots what the table shows, and names no other place.
        """
        text = report(Verdict.LEAK, ENTRIES, HELD, SITE, replace(SITE, low=-inf)).html()
        page = Page(text)
        assert page.open == []
        assert page.links == []
        assert "script" not in page.counts
        assert page.counts["svg"] == page.counts["figure"] == 6
        assert page.counts["circle"] == 6 * ROUNDS
        assert page.counts["polygon"] == 5  # one has no interval
        assert "b" not in page.counts, "what was raised is text"

    def test_several(self) -> None:
        """
        Several reports are sections of one page, below a table that leads to each of them.
        """
        leak, tasks = report(Verdict.LEAK, SITE), report(Verdict.INCONCLUSIVE, TASKS)
        text = pages([("test_it.py::test_<b>", leak), ("test_it.py::test_it", tasks)])
        page = Page(text)
        assert page.open == []
        assert page.links == page.places == ["#check-1", "#check-2"]
        assert "iframe" not in page.counts
        assert "b" not in page.counts
        assert (page.counts["style"], page.counts["h1"], page.counts["h2"]) == (1, 1, 2)
        table = text.partition("</table>")[0]
        assert '<td class="word leak">leak</td>' in table
        assert ">test_it.py::test_it</a></td><td>1,000 requests do not tell; make" in table

    def test_light_and_dark(self) -> None:
        """
        Its colours follow the reader's.
        """
        assert "@media (prefers-color-scheme: dark)" in report(Verdict.LEAK, SITE).html()

    def test_flat_samples_have_a_plot(self) -> None:
        """
        Samples that are all the same are drawn too.
        """
        assert Page(report(Verdict.BOUNDED, total=FLAT).html()).counts["circle"] == 2 * ROUNDS

    @pytest.mark.real_loop
    def test_in_a_browser(self, tmp_path: Path) -> None:
        """
        A real browser draws it without a complaint.
        """
        browser = shutil.which("chromium") or shutil.which("chromium-browser")
        if browser is None:
            pytest.skip("there is no chromium on this machine")
        page, picture = tmp_path / "leaks.html", tmp_path / "leaks.png"
        page.write_text(report(Verdict.LEAK, ENTRIES, SITE).html(), encoding="utf-8")
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
        ]
        command += [f"--user-data-dir={tmp_path}/profile", f"--screenshot={picture}", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        assert "CONSOLE" not in done.stderr
        assert picture.stat().st_size > 10_000
