"""
What is told of a leak check: a line, a table, JSON, a page.
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from sessionstate.testing import LeakError, LeakReport, LeakRow, Verdict
from sessionstate.testing._leak_text import short, shown, size, whole

ROUNDS = 10


def row(name: str, kind: str, slope: float, verdict: Verdict | None, **values: object) -> LeakRow:
    """
    Return a row that grows evenly.
    """
    plain = LeakRow(
        name=name,
        kind=kind,  # type: ignore[arg-type]
        unit="bytes",
        slope=slope,
        low=slope * 0.9,
        high=slope * 1.1,
        floor=8192.0,
        verdict=verdict,
        values=tuple(slope * number / 10 for number in range(ROUNDS)),
    )
    return replace(plain, **values)  # type: ignore[arg-type]


def report(verdict: Verdict, *rows: LeakRow, total: LeakRow | None = None) -> LeakReport:
    """
    Return a report of 1000 requests.
    """
    total = total or row("memory allocated", "total", 28 * 1024.0, verdict)
    return LeakReport(
        subject="start_turn",
        verdict=verdict,
        rows=(*rows, total, row("memory of the process", "rss", 2**20, None)),
        requests=1000,
        requests_each=100,
        rounds=ROUNDS,
        dropped=3,
        floor=8192.0,
        needs=2900 if verdict is Verdict.INCONCLUSIVE else 0,
        seconds=1.25,
        notes=("a request raised ValueError('<b>')",),
    )


ENTRIES = row(
    "ExpiringMap chat.tool_ids",
    "container",
    35.2,
    Verdict.LEAK,
    unit="entries",
    floor=0.0,
    low=33.9,
    high=36.6,
    example="oldest key 'chat-3'",
)
TASKS = row(
    "asyncio tasks",
    "invariant",
    100.0,
    Verdict.LEAK,
    unit="tasks",
    floor=0.0,
    example="pump, Event.wait",
    where="chat.py:88",
)
SITE = row(
    "chat.py:90",
    "site",
    20 * 1024.0,
    Verdict.LEAK,
    example='seen.add("<b>")',
    where="chat.py:12",
)
FLAT = row("memory allocated", "total", 0.0, Verdict.BOUNDED)
HELD = row("threads", "invariant", 0.0, Verdict.BOUNDED, unit="threads", floor=0.0)


class TestHeadline:
    def first(self, *rows: LeakRow, total: LeakRow | None = None) -> str:
        """
        Return the first line of a leak's text.
        """
        return report(Verdict.LEAK, *rows, total=total).text().splitlines()[0]

    def test_what_was_counted_comes_first(self) -> None:
        """
        The line names the count, its interval, the bytes, the oldest one, and when it will be full.
        """
        assert self.first(ENTRIES, SITE) == (
            "LEAK start_turn: ExpiringMap chat.tool_ids +35.2 entries/1000 requests (33.9..36.6); "
            "memory +28.0 KB/1000 requests (25.2 KB..30.8 KB); oldest key 'chat-3'; "
            "would reach 1 GiB in 37.4 M requests"
        )

    def test_two_are_named(self) -> None:
        """
        Of several counts two are named; where the first comes from is said too.
        """
        text = self.first(TASKS, ENTRIES, replace(TASKS, name="timers"), total=FLAT)
        assert text == (
            "LEAK start_turn: asyncio tasks +100 tasks/1000 requests (90..110); "
            "ExpiringMap chat.tool_ids +35.2 entries/1000 requests (33.9..36.6); "
            "pump, Event.wait at chat.py:88"
        )

    def test_bytes_name_the_place(self) -> None:
        """
        Where nothing was counted, the line that allocates is named, and who called it.
        """
        assert self.first(SITE) == (
            "LEAK start_turn: memory +28.0 KB/1000 requests (25.2 KB..30.8 KB); "
            "most of it +20.0 KB at chat.py:90, called from chat.py:12; "
            "would reach 1 GiB in 37.4 M requests"
        )

    def test_bytes_of_many_places(self) -> None:
        """
        Where no place stands out, the sum is named alone.
        """
        assert self.first() == (
            "LEAK start_turn: memory +28.0 KB/1000 requests (25.2 KB..30.8 KB); "
            "would reach 1 GiB in 37.4 M requests"
        )

    def test_a_total_that_does_not_leak_fills_nothing(self) -> None:
        """
        When memory will be full is told only if it is memory that leaks.
        """
        for verdict in (Verdict.BOUNDED, Verdict.INCONCLUSIVE):
            total = row("memory allocated", "total", 28 * 1024.0, verdict)
            assert self.first(TASKS, total=total).endswith("pump, Event.wait at chat.py:88")

    def test_a_large_leak_is_counted_in_requests(self) -> None:
        """
        Below a million, requests are not rounded.
        """
        large = row("memory allocated", "total", 2.0**30, Verdict.LEAK)
        assert self.first(total=large).endswith("would reach 1 GiB in 1,000 requests")

    def test_nothing_found(self) -> None:
        """
        Bounded says how little it grows; inconclusive says how many rounds it takes.
        """
        bounded = report(Verdict.BOUNDED, HELD, total=FLAT).text()
        assert bounded.startswith(
            "BOUNDED start_turn: nothing grows by more than its floor in 1,000 requests; memory "
            "+0 B/1000 requests"
        )
        unsure = report(Verdict.INCONCLUSIVE).text()
        assert unsure.startswith(
            "INCONCLUSIVE start_turn: 1,000 requests do not tell; make at least 39 rounds: "
            "--rounds 39 / rounds=39\n"
        )

    def test_yours_need_not_be_the_largest(self) -> None:
        """
        Where the first line is not the one with the most bytes, that is not said of it.
        """
        larger = replace(SITE, name="lib.py:1", slope=24 * 1024.0, where="")
        assert "; from your own code most +20.0 KB at chat.py:90, called" in self.first(
            SITE, larger
        )
        small = replace(SITE, verdict=Verdict.BOUNDED, slope=2000.0)
        assert "; most of it +24.0 KB at lib.py:1; would" in self.first(small, larger)

    def test_what_has_no_line(self) -> None:
        """
        Something that no line has made is not said to be at one.
        """
        given = replace(SITE, name="the requests' numbers, kept by you", where="")
        assert "most of it +20.0 KB in the requests' numbers, kept by you; " in self.first(given)


class TestText:
    def test_rows_add_up(self) -> None:
        """
        The lines that are not shown have one row, so that the rows add up to the whole.
        """
        small = replace(SITE, slope=1500.0, values=tuple(150.0 * each for each in range(ROUNDS)))
        leak = report(Verdict.LEAK, *[small] * 6)
        for rows in (shown(leak), whole(leak)):
            parts = [each for each in rows if each.kind in ("site", "rest")]
            total = next(each for each in rows if each.kind == "total")
            assert sum(each.slope for each in parts) == pytest.approx(total.slope)
            assert sum(each.values[-1] for each in parts) == pytest.approx(total.values[-1])
            assert parts[-1].low <= parts[-1].slope <= parts[-1].high
        assert [len(each) for each in (shown(leak), whole(leak))] == [7, 9]

    @pytest.mark.parametrize(
        ("sites", "note"), [(4, ""), (5, "and 1 more line grows; "), (6, "and 2 more lines grow; ")]
    )
    def test_how_many_are_not_shown(self, sites: int, note: str) -> None:
        """
        How many more lines grow is told below the row of the others, and where to see them.
        """
        text = report(Verdict.LEAK, *[SITE] * sites).text()
        said = f"{note}--report leaks.html / report.html() shows all" if note else ""
        assert [line.strip() for line in text.splitlines() if "more line" in line] == [said][
            : len(note)
        ]

    def test_who_called_is_shown_with_its_line(self) -> None:
        """
        Below a row is the line that called, it may be the one to mend; only source looks like it.
        """
        leak = report(Verdict.LEAK, replace(SITE, where=f"{__file__}:5"))
        place = f"called from {short(__file__)}:5"
        assert f"\n{' ' * 9}{place}: from __future__ import annotations\n" in leak.text()
        code = f'<p class="soft">{place}: <code>from __future__ import annotations</code></p>'
        assert code in leak.html()
        assert (
            '<p class="soft">oldest key &#x27;chat-3&#x27;</p>'
            in report(Verdict.LEAK, ENTRIES).html()
        )

    def test_what_may_grow_still_does(self) -> None:
        """
        What was counted and may grow, within a limit, is shown, and not said not to grow.
        """
        allowed = replace(TASKS, verdict=Verdict.BOUNDED, floor=200.0)
        text = report(Verdict.BOUNDED, allowed, HELD, total=FLAT).text()
        assert "bounded  asyncio tasks" in text
        assert "counted, and not growing: threads\n" in text

    def test_table(self) -> None:
        """
        The table has a line for each thing that matters, and one below for what is known of it.
        """
        table = report(Verdict.LEAK, ENTRIES, HELD, SITE).text().splitlines()[2:]
        assert [" ".join(line.split()) for line in table] == [
            "what per 1000 requests 99 % interval floor left",
            "leak ExpiringMap chat.tool_ids +35.2 entries (33.9..36.6) 0 31.68",
            "oldest key 'chat-3'",
            "leak chat.py:90 +20.0 KB (18.0 KB..22.0 KB) 8.0 KB 18.0 KB",
            'seen.add("<b>")',
            "called from chat.py:12",
            "shown other lines +8.0 KB (8.0 KB..8.0 KB) 7.2 KB",
            "leak memory allocated +28.0 KB (25.2 KB..30.8 KB) 8.0 KB 25.2 KB",
            "shown memory of the process +1.0 MB (921.6 KB..1.1 MB) 921.6 KB",
            "",
            "counted, and not growing: threads",
            "10 rounds of 100 requests, the first 3 warm-up, in 1.2 s; RSS never decides",
            "a request raised ValueError('<b>')",
        ]

    def test_several_sites(self) -> None:
        """
        Of more than one line it is said, in the table and on the page, which one to believe.
        """
        note = "memory that one line freed may be handed to a later one: believe your largest first"
        one, two = report(Verdict.LEAK, SITE), report(Verdict.LEAK, SITE, SITE)
        assert [note in each for each in (one.text(), one.html())] == [False, False]
        assert [each.count(note) for each in (two.text(), two.html())] == [1, 1]

    def test_few_samples(self) -> None:
        """
        An interval without ends is not written as one.
        """
        total = row("memory allocated", "total", 1.0, Verdict.INCONCLUSIVE, low=-inf, high=inf)
        assert "(too few samples)" in report(Verdict.INCONCLUSIVE, total=total).text()

    def test_places_are_short(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """
        A place is told relative to the current directory, or to where modules are found.
        """
        monkeypatch.chdir(tmp_path)
        site = replace(SITE, name=str(tmp_path / "app" / "chat.py:90"), where="")
        text = report(Verdict.LEAK, site).text()
        assert f"leak   {Path('app', 'chat.py')}:90" in text

    @pytest.mark.parametrize(
        ("number", "text"),
        [(0, "0 B"), (-5, "-5 B"), (1023, "1,023 B"), (2**20, "1.0 MB"), (3 * 2**30, "3.0 GB")],
    )
    def test_size(self, number: int, text: str) -> None:
        """
        Bytes are told in the unit that makes them short.
        """
        assert size(number) == text


class TestJson:
    def test_whole(self) -> None:
        """
        Everything is there, with every sample; what has no limit is null.
        """
        endless = replace(SITE, low=-inf, high=inf)
        found = json.loads(report(Verdict.LEAK, endless).as_json())
        assert (found["verdict"], found["requests"], found["floor"]) == ("leak", 1000, 8192.0)
        assert found["headline"].startswith("LEAK start_turn: ")
        site = found["rows"][0]
        assert (site["kind"], site["low"], len(site["values"])) == ("site", None, ROUNDS)
        assert found["rows"][-1]["verdict"] is None
        assert [each["kind"] for each in found["rows"]] == ["site", "rest", "total", "rss"]


class TestRaising:
    def test_the_text_is_the_error(self) -> None:
        """
        What a test shows of a leak is the whole table, beginning with the line.
        """
        leak = report(Verdict.LEAK, SITE)
        with pytest.raises(LeakError) as caught:
            leak.raise_for_leak()
        assert str(caught.value) == leak.text()

    def test_leaks_are_those_that_decide(self) -> None:
        """
        A site is no leak where the whole does not grow.
        """
        assert report(Verdict.LEAK, TASKS, SITE, total=FLAT).leaks == (TASKS,)
        assert report(Verdict.BOUNDED, SITE, total=FLAT).leaks == ()
