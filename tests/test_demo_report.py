"""
What the demo shows: its table, its charts and its page.
"""

from __future__ import annotations

import dataclasses
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

pytest.importorskip("pyee")
pytest.importorskip("rich")
pytest.importorskip("websockets")

from rich.console import Console

from sessionstate._cli.demo import chart, page, report
from sessionstate._cli.demo.measure import PLAIN, SCOPED, Left, Outcome, Report, Sample
from sessionstate._cli.demo.webhooks import Deliveries

CLEAN = Left(**dict.fromkeys(Left.__slots__, 0))
LEAKY = Left(
    sessions=92,
    map_entries=900,
    tasks=280,
    contexts=92,
    agents=92,
    sub_agents=18,
    listeners=92,
    tools=3,
    grandchildren=4,
    signatures=50,
)


def outcome(name: str, left: Left, *, cut_short: int = 0, replays: int = 0) -> Outcome:
    """
    Make the figures of a server that has *left* left.
    """
    top = 90_000_000 if left.sessions else 40_000_000
    return Outcome(
        name=name,
        conversations=100,
        requests=400,
        left=left,
        endings={},
        outcomes={},
        ended_by_deadline=0 if left.sessions else 50,
        reconnects=10,
        reconnects_found=10,
        cut_short=cut_short,
        webhooks=Deliveries(sent=40, taken=40, replays=10, replays_taken=replays),
        traffic_seconds=2.5,
        samples=[
            Sample(0.0, 30_000_000, 0, 0, 0),
            Sample(5.0, 40_000_000, 50, 200, 4),
            Sample(10.0, top, left.sessions, 400, left.tools + left.grandchildren),
        ],
    )


def made(scoped: Left = CLEAN, *, cut_short: int = 0, replays: int = 0) -> Report:
    """
    Make a report in which sessionstate has *scoped* left, and acted upon *replays*.
    """
    plain = outcome(PLAIN, LEAKY, cut_short=cut_short, replays=7)
    return Report(100, 7, 20.0, plain, outcome(SCOPED, scoped, replays=replays))


class TestPictures:
    @pytest.mark.parametrize("draw", [page.memory_chart, page.sessions_chart, page.processes_chart])
    def test_a_chart_says_what_it_shows(self, draw: page.Draw) -> None:
        """
        A chart is well-formed, has both curves and both names, axis labels, and works in the dark.
        """
        svg = draw(made())
        root = ET.fromstring(svg)  # noqa: S314 (our own)
        names = {"svg": "http://www.w3.org/2000/svg"}
        texts = [text.text for text in root.iterfind(".//svg:text", names)]
        assert len(root.findall(".//svg:polyline", names)) == 2
        assert texts.count(PLAIN) == texts.count(SCOPED) == 2
        assert "seconds since the traffic began" in texts
        assert "prefers-color-scheme: dark" in svg
        assert "None" not in svg

    @pytest.mark.parametrize("highest", [0.0, 1e-12, 1.0, 7.3, 99.4, 100.0, 2000.0, 1234567.0])
    def test_scales_end_at_round_values(self, highest: float) -> None:
        """
        The last label of a whole scale is at or above the highest value, and labels are few.
        """
        scale = chart.Scale(highest, 0.0, 100.0, whole=True)
        assert scale.ticks[-1] >= highest * 0.999
        assert 2 <= len(scale.ticks) <= 8
        assert scale(scale.ticks[-1]) == pytest.approx(100.0)

    def test_equal_curves_have_labels_apart(self) -> None:
        """
        Two curves that end at one height have their names one below the other.
        """
        points = [(0.0, 1.0), (5.0, 10.0)]
        curves = (chart.Curve("one", points, "10"), chart.Curve("two", points, "10"))
        root = ET.fromstring(  # noqa: S314 (our own)
            chart.line_chart(title="t", across="x", up="y", curves=curves)
        )
        labels = {
            text.get("class"): float(text.get("y", "0"))
            for text in root.iter("{http://www.w3.org/2000/svg}text")
            if text.get("class") in ("first", "second")
        }
        assert abs(labels["first"] - labels["second"]) >= 36

    def test_the_page_loads_nothing(self) -> None:
        """
        The page holds its style and its charts itself, and refers to no other place.
        """
        html = page.html(made(), "<svg></svg>", "<svg></svg>")
        assert "src=" not in html
        assert "href=" not in html
        assert "url(" not in html
        assert "sessionstate has nothing left of 100 conversations" in html
        assert 'class="verdict"' in html

    def test_the_page_says_when_something_was_left(self) -> None:
        """
        The page of a run with leaks says so, in the colour for it.
        """
        html = page.html(made(LEAKY), "", "")
        assert 'class="verdict bad"' in html
        assert "sessionstate has something left: 92 sessions, 900 map entries" in html


class TestTable:
    def shown(self, both: Report) -> str:
        """
        Give what a terminal shows.
        """
        console = Console(file=StringIO(), width=100)
        report.show(both, Path("out"), console)
        assert isinstance(console.file, StringIO)
        return console.file.getvalue()

    def test_both_stand_side_by_side(self) -> None:
        """
        Each figure is there for both servers, with a sentence that sums them up.
        """
        text = self.shown(made())
        assert "50 (50%)" in text
        assert "+150.00 MB" in text
        assert "+25.00 MB" in text
        assert "+250.00 MB" in text
        assert "+0.00 MB" in text
        assert "sessionstate has nothing left of 100 conversations" in text
        assert "cut short" not in text

    def test_a_short_run_warns_of_its_memory(self) -> None:
        """
        Too few conversations to warm a server up come with a caution about its memory.
        """
        long = dataclasses.replace(made(), sessions=2000)
        assert "warming up" in self.shown(made())
        assert "warming up" in page.html(made(), "", "")
        assert "warming up" not in self.shown(long)
        assert "warming up" not in page.html(long, "", "")

    def test_conversations_cut_short_are_told(self) -> None:
        """
        A row tells of conversations that the server ended too early, if there were any.
        """
        assert "cut short by the server" in self.shown(made(cut_short=3))

    @pytest.mark.parametrize("field", Left.__slots__)
    def test_any_rest_is_a_leak(self, field: str) -> None:
        """
        One single thing left, of whatever kind, makes the report not clean, and is named.
        """
        both = made(Left(**{name: int(name == field) for name in Left.__slots__}))
        assert not both.clean
        words = field.replace("sub_", "sub-").replace("_", " ")
        assert report.verdict(both) == f"sessionstate has something left: 1 {words}."

    def test_a_replay_that_was_taken_is_no_clean_run(self) -> None:
        """
        One replay that sessionstate acted upon makes the report not clean, and is told.
        """
        both = made(replays=1)
        assert not both.clean
        assert report.verdict(both) == "sessionstate acted upon 1 replays."
        assert "left: 92 sessions" in report.verdict(made(LEAKY, replays=2))
        assert report.verdict(made(LEAKY, replays=2)).endswith(", and acted upon 2 replays.")
        assert "1 of 10" in self.shown(both)
        assert "7 of 10" in self.shown(both)
