"""
The leak report of a program in production as text, as JSON, and as a page.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sessionstate import Growth, ProductionReport, ProductionRow
from tests.test_leakcheck_page import Page

AGENTS = ProductionRow(
    name="agents",
    kind="map",
    unit="entries",
    count=2370,
    unbounded=60,
    orphans=0,
    slope=12.5,
    low=12.0,
    high=13.25,
    verdict=Growth.LEAK,
    since=1_790_000_000.0,
    values=(1.0, 2.0, 60.0),
)
TOOLS = replace(
    AGENTS, name="tools", unbounded=0, verdict=Growth.BOUNDED, since=None, low=None, high=None
)
LOST = replace(AGENTS, name="/srv/app.py:7", kind="site", unit="sessions", count=3, orphans=3)
MEMORY = replace(
    AGENTS,
    name="resident memory",
    kind="process",
    unit="bytes",
    count=402 * 2**20,
    unbounded=0,
    slope=1234.0 * 2**30,
    low=-1000.0,
    high=2.0 * 2**20,
    verdict=None,
    since=None,
    values=(5.0, 5.0),
)
SEEN = "4,720 requests in 9 min 50 s"
ENDS = "a deadline or a holder"
GROWS = "grows unevenly, or is late"
HOSTILE = "</code><script>alert(1)</script>\"'&\n\x1b[31m\udcff\u202e"


def report(*rows: ProductionRow, verdict: Growth = Growth.LEAK) -> ProductionReport:
    """
    Return a report with these rows.
    """
    return ProductionReport(
        supervisor="shop",
        at=1_790_000_100.0,
        verdict=verdict,
        rows=rows,
        requests=4720,
        counted="requests",
        seconds=590.0,
        samples=19 if verdict is Growth.WARMING_UP else 60,
        live=2373,
        orphans=3,
        unbounded=63,
        automatic=0.9277,
        reasons={"deleted": 180, "idle": 2310, "expired": 0},
    )


EACH = "per 1000 requests"


class TestHeadline:
    @pytest.mark.parametrize(
        ("verdict", "headline"),
        [
            (Growth.LEAK, f"leak: map agents, for 1 min 40 s (seen over {SEEN})"),
            (Growth.BOUNDED, f"bounded: nothing is left that {ENDS} will not end; {SEEN}"),
            (Growth.INCONCLUSIVE, f"inconclusive: something {GROWS}; seen over {SEEN}"),
            (Growth.WARMING_UP, f"warming up: 19 of 20 samples, over {SEEN}"),
        ],
    )
    def test_each_verdict(self, verdict: Growth, headline: str) -> None:
        """
        One sentence says what was found, and what that rests on.
        """
        assert report(AGENTS, verdict=verdict).headline() == headline

    def test_names_the_worst(self) -> None:
        """
        Three leaks are named, and the others counted.
        """
        rows = [replace(AGENTS, name=name) for name in "abcde"]
        named = "; ".join(f"map {name}, for 1 min 40 s" for name in "abc")
        assert report(*rows).headline().startswith(f"leak: {named}; and 2 more (seen")


class TestText:
    def test_line_a_row(self) -> None:
        """
        The headline is followed by a line for each row, in units for people.
        """
        made = report(LOST, AGENTS, TOOLS, MEMORY)
        seen, since = "4,720 requests in 9 min 50 s", "for 1 min 40 s"
        assert made.text() == str(made)
        assert made.text().splitlines() == [
            f"leak: site /srv/app.py:7, {since}; map agents, {since} (seen over {seen})",
            f"  leak         site /srv/app.py:7: 3 sessions, 3 orphans, +12.5 {EACH}, {since}",
            f"  leak         map agents: 2,370 entries, +12.5 {EACH}, {since}",
            f"  bounded      map tools: 2,370 entries, +12.5 {EACH}",
            f"  shown        process resident memory: 402 MiB, +1,234 GiB {EACH}",
        ]

    def test_hostile_name(self) -> None:
        """
        A name cannot begin a line of its own, nor command a terminal.
        """
        text = report(replace(AGENTS, name=HOSTILE)).text()
        assert len(text.splitlines()) == 2
        assert all(line.isprintable() for line in text.splitlines())


class TestJson:
    def test_everything(self) -> None:
        """
        The JSON has everything, is strict, and comes in any encoding.
        """

        def refuse(constant: str) -> None:
            raise AssertionError(constant)

        given = report(replace(AGENTS, name=HOSTILE), TOOLS, MEMORY)
        text = given.as_json()
        assert text.isascii()
        found = json.loads(text, parse_constant=refuse)
        assert found["verdict"] == "leak"
        assert found["headline"] == given.headline()
        assert found["reasons"] == {"deleted": 180, "idle": 2310, "expired": 0}
        assert found["automatic"] == given.automatic
        first, second, third = found["rows"]
        assert first["name"] == HOSTILE
        assert first["values"] == [1, 2, 60]
        assert (second["low"], second["since"], third["verdict"]) == (None, None, None)
        assert set(first) == set(ProductionRow.__dataclass_fields__)
        assert set(found) == {"headline", *ProductionReport.__dataclass_fields__}

    def test_numbers_that_are_none(self) -> None:
        """
        What JSON cannot say is refused rather than written.
        """
        with pytest.raises(ValueError, match="not JSON compliant"):
            report(replace(AGENTS, slope=float("nan"))).as_json()


class TestPage:
    def test_is_whole_and_loads_nothing(self) -> None:
        """
        The page is well-formed, has a curve for each row, and names no other place.
        """
        text = report(LOST, AGENTS, TOOLS, MEMORY).html()
        page = Page(text)
        assert page.open == []
        assert page.links == []
        assert "script" not in page.counts
        assert page.counts["svg"] == page.counts["polyline"] == 4
        assert page.counts["tr"] == 1 + 4 + 1 + 2, "a reason that ended nothing has no row"
        assert text.startswith("<!doctype html>\n<html lang=")
        assert "prefers-color-scheme: dark" in text
        assert "url(" not in text
        assert "@import" not in text

    def test_figures(self) -> None:
        """
        Counts, slopes and moments are written for people, and for machines where it matters.
        """
        text = report(LOST, AGENTS, TOOLS, MEMORY).html()
        for part in (
            "<title>shop: leak</title>",
            '<h1>shop: <span class="leak">leak</span></h1>',
            "<p>Site /srv/app.py:7, for 1 min 40 s; map agents, for 1 min 40 s (seen over 4,720 ",
            "2,373 live sessions, 3 of them orphans",
            "93 % of those that ended were ended by a limit, not by a goodbye.",
            '2,370 <span class="kind">60 without a deadline</span>',
            '2,370 <span class="kind"></span>',
            '+12.5 <span class="kind">+12 to +13.2</span>',
            '+12.5 <span class="kind"></span>',
            '+1,234 GiB <span class="kind">-1,000 B to +2 MiB</span>',
            '<time datetime="2026-09-21T14:13:20Z">2026-09-21 14:13:20 UTC</time>',
            'aria-label="from 1 to 60 entries"',
            '<td>idle</td><td class="figure">2,310</td>',
        ):
            assert part in text

    def test_curve(self) -> None:
        """
        The samples are drawn from left to right and from below to above; a flat one is a line.
        """
        text = report(AGENTS, MEMORY, replace(TOOLS, values=(7.0,))).html()
        assert 'points="0.0,36.0 80.0,35.5 160.0,4.0"' in text
        assert 'points="0.0,36.0 160.0,36.0"' in text
        assert 'points="0.0,36.0"' in text

    @pytest.mark.parametrize("verdict", Growth)
    def test_verdicts(self, verdict: Growth) -> None:
        """
        Each verdict has a class that the style knows.
        """
        text = report(replace(AGENTS, verdict=verdict), verdict=verdict).html()
        word = verdict.split()[0]
        assert f'<td class="word {word}">{verdict}</td>' in text
        assert f".{word}" in text.partition("</style>")[0]
        assert Page(text).open == []

    def test_nothing_ended_yet(self) -> None:
        """
        A share of nothing is none.
        """
        text = replace(report(), automatic=None, reasons={}).html()
        assert "None has ended yet." in text
        assert Page(text).counts["tr"] == 2

    def test_hostile_names(self, tmp_path: Path) -> None:
        """
        Whatever things are called is text on the page, and the page can be written to a file.
        """
        row = replace(AGENTS, name=HOSTILE)
        text = replace(report(row, verdict=Growth.LEAK), supervisor=HOSTILE).html()
        page = Page(text)
        assert page.open == []
        assert "script" not in page.counts
        assert page.counts["code"] == 1
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        assert not any(sign in text for sign in "\x1b\u202e")
