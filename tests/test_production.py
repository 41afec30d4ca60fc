"""
The leak report of a program in production: what it says leaks, and what it says does not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sessionstate import Counted, Growth, ProductionReport, ProductionRow, Supervisor
from sessionstate._history import MOST, Moment
from sessionstate._production import FEWEST, POINTS, STAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

MANY = 30
UP = list(range(1, MANY + 1))
FLAT = [5] * MANY
NOISE = "040990111951266226337"


def feed(
    supervisor: Supervisor,
    *,
    entries: Sequence[int | None] = FLAT,
    unbounded: Sequence[int] = (),
    orphans: Sequence[int] = (),
    apart: int = 100,
    name: str = "agents",
    kind: str = "slot",
) -> ProductionReport:
    """
    Return the report on surveys that found this of one map, a minute and so many requests apart.
    """
    history = supervisor._surveyor.history
    history.counts_requests = True
    unbounded = unbounded or [0] * len(entries)
    orphans = orphans or [0] * len(entries)
    if not history.moments:
        history.moments = [
            Moment(60.0 * number, 7 + apart * number, 9, 8, 0, 2**20, {})
            for number in range(len(entries))
        ]
    for moment, number, endless, late in zip(
        history.moments, entries, unbounded, orphans, strict=True
    ):
        if number is not None:
            moment.figures[kind, name] = Counted(name, kind, number, endless, late)
    history.late = {}
    for moment in history.moments:
        history.follow(moment, moment.at)
    return supervisor.leak_report()


def only(report: ProductionReport) -> ProductionRow:
    """
    Return the one row that is not the process's.
    """
    (row,) = (row for row in report.rows if row.kind != "process")
    return row


@pytest.fixture
def idle() -> Supervisor:
    """
    Give a supervisor that is not running: only what it is fed is known.
    """
    return Supervisor(default=False, name="shop")


class TestBounded:
    def test_deadlines_end_it(self, idle: Supervisor) -> None:
        """
        What deadlines end is bounded, however it grows with the traffic; its growth is told.
        """
        report = feed(idle, entries=UP)
        row = only(report)
        assert row.verdict is report.verdict is Growth.BOUNDED
        assert (row.slope, row.low, row.high) == (10, 10, 10)
        assert row.since is None
        assert report.leaks == ()

    def test_does_not_grow(self, idle: Supervisor) -> None:
        """
        What belongs to sessions without a deadline is bounded where it does not grow.
        """
        assert only(feed(idle, entries=UP, unbounded=FLAT)).verdict is Growth.BOUNDED

    def test_grows_no_more(self, idle: Supervisor) -> None:
        """
        What grew when the program was young, and does no more, is bounded.
        """
        once = [min(number, 10) for number in UP]
        row = only(feed(idle, entries=once, unbounded=once))
        assert (row.verdict, row.since) == (Growth.BOUNDED, None)
        assert (row.slope, row.low, row.high) == (0, 0, 0)

    def test_comes_and_goes(self, idle: Supervisor) -> None:
        """
        What breathes with the traffic is bounded.
        """
        waves = [5 + number % 3 for number in range(MANY)]
        assert only(feed(idle, entries=waves, unbounded=waves)).verdict is Growth.BOUNDED

    def test_noise(self, idle: Supervisor) -> None:
        """
        What may have come by chance is no growth, though both halves rise.
        """
        noisy = [int(each) for each in "0" * (MANY - len(NOISE)) + NOISE]
        row = only(feed(idle, entries=noisy, unbounded=noisy))
        assert row.low is not None
        assert row.low <= 0 < row.slope
        assert row.verdict is Growth.BOUNDED

    def test_no_requests(self, idle: Supervisor) -> None:
        """
        Without requests there is no growth per request: what grows all the same is inconclusive.
        """
        row = only(feed(idle, entries=UP, unbounded=UP, apart=0))
        assert (row.slope, row.low, row.high) == (0, None, None)
        assert row.verdict is Growth.INCONCLUSIVE
        still = feed(Supervisor(default=False), entries=FLAT, unbounded=FLAT, apart=0)
        assert only(still).verdict is Growth.BOUNDED

    def test_orphans_that_went(self, idle: Supervisor) -> None:
        """
        Orphans that are there no more are no leak.
        """
        row = only(feed(idle, orphans=[*[3] * (MANY - 1), 0]))
        assert (row.orphans, row.verdict, row.since) == (0, Growth.BOUNDED, None)

    def test_no_session_at_all(self, idle: Supervisor) -> None:
        """
        A supervisor that never had a session is bounded, once that was seen often enough.
        """
        report = feed(idle, entries=[None] * FEWEST)
        assert [row.kind for row in report.rows] == ["process"]
        assert report.verdict is Growth.BOUNDED
        idle._surveyor.history.moments.pop()
        assert idle.leak_report().verdict is Growth.WARMING_UP


class TestNames:
    def test_orphans_of_what_has_no_row(self, idle: Supervisor) -> None:
        """
        Nothing is called bounded while there are orphans, though no row is left for them.
        """
        feed(idle)
        history = idle._surveyor.history
        history.moments[-1] = replace(history.moments[-1], orphans=3)
        assert idle.leak_report().verdict is Growth.INCONCLUSIVE


class TestLeak:
    def test_grows_with_every_request(self, idle: Supervisor) -> None:
        """
        What nothing but a holder ends is a leak where it grows with every request.
        """
        report = feed(idle, entries=[2 * number for number in UP], unbounded=UP)
        row = only(report)
        assert row.verdict is report.verdict is Growth.LEAK
        assert (row.count, row.unbounded, row.orphans) == (2 * MANY, MANY, 0)
        assert (row.slope, row.low, row.high) == (10, 10, 10)
        assert row.since == 0
        assert report.leaks == (row,)

    def test_since_it_was_never_as_low_again(self, idle: Supervisor) -> None:
        """
        A growth began when it was lowest for the last time.
        """
        later = [4, 6, 5, 3, 3, *range(4, MANY - 1)]
        row = only(feed(idle, entries=later, unbounded=later))
        assert (row.verdict, row.since) == (Growth.LEAK, 4 * 60)

    def test_orphans_that_stay(self, idle: Supervisor) -> None:
        """
        Orphans in three surveys in a row are a leak since the first of these, though nothing grows.
        """
        row = only(feed(idle, orphans=[1, 0, *[0] * (MANY - 2 - STAYS), *[2] * STAYS]))
        assert (row.orphans, row.verdict) == (2, Growth.LEAK)
        assert row.since == 60 * (MANY - STAYS)

    def test_orphans_from_the_beginning(self, idle: Supervisor) -> None:
        """
        Orphans are a leak before there are samples enough to judge growth.
        """
        report = feed(idle, entries=[5] * STAYS, orphans=[1] * STAYS)
        assert (only(report).verdict, only(report).since) == (Growth.LEAK, 0)
        assert report.verdict is Growth.LEAK


class TestUndecided:
    def test_grows_unevenly(self, idle: Supervisor) -> None:
        """
        What grew in the second half, and not before, may have been once: nothing is said of it.
        """
        late = [5] * 20 + list(range(6, 16))
        report = feed(idle, entries=late, unbounded=late)
        row = only(report)
        assert row.verdict is report.verdict is Growth.INCONCLUSIVE
        assert row.since == 60 * 19

    def test_just_begun(self, idle: Supervisor) -> None:
        """
        What stands above all that was before, in the last three samples, may have begun to grow.
        """
        for last, verdict in (([6, 7, 8], Growth.INCONCLUSIVE), ([6, 5, 8], Growth.BOUNDED)):
            late = [5] * (MANY - 3) + last
            assert only(feed(idle, entries=late, unbounded=late)).verdict is verdict

    def test_orphans_that_just_came(self, idle: Supervisor) -> None:
        """
        An orphan of two surveys may just have been late: it is told, with its time.
        """
        late = [*[0] * (MANY - STAYS + 1), *[1] * (STAYS - 1)]
        for unbounded in ((), FLAT):
            row = only(feed(idle, unbounded=unbounded, orphans=late))
            assert row.verdict is Growth.INCONCLUSIVE
            assert row.since == 60 * (MANY - STAYS + 1)

    def test_warming_up(self, idle: Supervisor) -> None:
        """
        Of growth nothing is said before there are samples enough.
        """
        few = UP[: FEWEST - 1]
        report = feed(idle, entries=few, unbounded=few)
        assert only(report).verdict is report.verdict is Growth.WARMING_UP
        assert only(report).since is None


class TestReport:
    def test_worst_first(self, idle: Supervisor) -> None:
        """
        Leaks come first, the fastest one before the others; the process comes last.
        """
        feed(idle, entries=UP, name="bounded")
        feed(idle, entries=UP, unbounded=UP, name="grows")
        feed(idle, entries=UP, unbounded=[3 * number for number in UP], name="grows fast")
        feed(idle, orphans=[1] * MANY, name="lost", kind="site")
        feed(idle, orphans=[*FLAT[:-1], 0], name="found again", kind="resource")
        late = [5] * 20 + list(range(6, 16))
        report = feed(idle, entries=late, unbounded=late, name="late")
        assert [(row.kind, row.name, row.verdict, row.unit) for row in report.rows] == [
            ("site", "lost", Growth.LEAK, "sessions"),
            ("map", "grows fast", Growth.LEAK, "entries"),
            ("map", "grows", Growth.LEAK, "entries"),
            ("map", "late", Growth.INCONCLUSIVE, "entries"),
            ("map", "bounded", Growth.BOUNDED, "entries"),
            ("resource", "found again", Growth.BOUNDED, "resources"),
            ("process", "resident memory", None, "bytes"),
        ]
        assert [row.name for row in report.leaks] == ["lost", "grows fast", "grows"]
        assert report.verdict is Growth.LEAK

    def test_of_all(self, idle: Supervisor) -> None:
        """
        The report tells what it rests on, and what there was at the last sample.
        """
        report = feed(idle)
        assert (report.supervisor, report.counted) == ("shop", "requests")
        assert report.requests == 100 * (MANY - 1)
        assert (report.seconds, report.samples) == (60 * (MANY - 1), MANY)
        assert (report.live, report.unbounded, report.orphans) == (9, 8, 0)
        assert report.automatic is None
        assert set(report.reasons.values()) == {0}

    def test_gone_name(self, idle: Supervisor) -> None:
        """
        What was there once, and is not in the last sample, is none.
        """
        row = only(feed(idle, entries=[*FLAT[:-2], None, None], orphans=[2] * MANY))
        assert (row.count, row.unbounded, row.orphans) == (0, 0, 0)
        assert row.verdict is Growth.BOUNDED
        assert row.values[-3:] == (5, 0, 0)

    def test_memory(self, idle: Supervisor) -> None:
        """
        Memory is shown with its growth, and has no verdict, however it grows.
        """
        feed(idle)
        history = idle._surveyor.history
        history.moments = [
            Moment(each.at, each.requests, 9, 8, 0, 2**20 * number, each.figures)
            for number, each in enumerate(history.moments)
        ]
        report = idle.leak_report()
        row = report.rows[-1]
        assert (row.kind, row.unit, row.verdict, row.since) == ("process", "bytes", None, None)
        assert (row.count, row.slope) == ((MANY - 1) * 2**20, 10 * 2**20)
        assert report.verdict is Growth.BOUNDED

    def test_many_samples(self, idle: Supervisor) -> None:
        """
        Of many samples some are looked at, the last one among them.
        """
        many = list(range(MOST))
        row = only(feed(idle, entries=many, unbounded=many))
        assert len(row.values) == POINTS
        assert row.values[-1] == MOST - 1
        assert (row.slope, row.verdict) == (10, Growth.LEAK)

    def test_few_samples(self, idle: Supervisor) -> None:
        """
        With a sample or two there is no slope, and with three no interval.
        """
        for number in (1, 2, 3):
            idle._surveyor.history.moments = []
            row = only(feed(idle, entries=UP[:number]))
            assert (row.slope, row.low, row.high) == (10 if number == 3 else 0, None, None)

    def test_surveys_between_requests(self, idle: Supervisor) -> None:
        """
        Of surveys without a request between them the last one counts.
        """
        feed(idle, entries=UP, unbounded=UP)
        history = idle._surveyor.history
        history.moments = [
            Moment(each.at, 7 + 100 * (number // 2), 9, 8, 1, 0, each.figures)
            for number, each in enumerate(history.moments)
        ]
        row = only(idle.leak_report())
        assert (row.slope, row.low, row.verdict) == (20, 20, Growth.LEAK)
