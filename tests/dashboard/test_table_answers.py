"""
Answers of the table that are kept: for how long, and that nothing lives on through them.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate._redaction import redaction
from sessionstate.dashboard import _slices, _table
from sessionstate.dashboard._probe import Probe
from sessionstate.dashboard._slices import BATCH, batches
from sessionstate.dashboard._source import ROWS, SORTS, Query
from sessionstate.dashboard._table import KEPT, LEAST, SHARE, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate import Session, Supervisor

WHOLE = Query(sort="idle")
EASY = Query()


class Seconds:
    """
    A clock that goes on by a *step* each time somebody looks.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.step = 0.0

    def __call__(self) -> float:
        """
        Return the time.
        """
        now = self.now
        self.now += self.step
        return now


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    """
    Give the clock by which answers grow old.
    """
    seconds = Seconds()
    monkeypatch.setattr(_table, "perf_counter", seconds)
    return seconds


@pytest.fixture
def table(supervisor: Supervisor, seconds: Seconds) -> Table:
    """
    Give the table of the supervisor.
    """
    return Table(supervisor, redaction("none"))


async def shown(table: Table, query: Query) -> list[str]:
    """
    Return the ids on a page.
    """
    return [row["id"] for row in (await table.page(query))["rows"]]


async def doomed(supervisor: Supervisor, id: str) -> weakref.ref[Session]:
    """
    Open a session, and return what tells whether it is still there.
    """
    return weakref.ref(await supervisor.open(id))


class TestAge:
    @pytest.mark.parametrize("query", [WHOLE, EASY, Query(search="a"), Query(state="idle")])
    async def test_expires(
        self, table: Table, supervisor: Supervisor, seconds: Seconds, query: Query
    ) -> None:
        """
        An answer is good for a moment, and then made again.
        """
        await supervisor.open("a1")
        assert await shown(table, query) == ["a1"]
        await supervisor.open("a2")
        seconds.now += LEAST * 0.99
        assert await shown(table, query) == ["a1"]
        seconds.now += LEAST * 0.02
        assert sorted(await shown(table, query)) == ["a1", "a2"]

    async def test_by_what_it_cost(
        self, table: Table, supervisor: Supervisor, seconds: Seconds
    ) -> None:
        """
        What took long is kept for longer.
        """
        await supervisor.open("a1")
        seconds.step = 1.0
        assert await shown(table, WHOLE) == ["a1"]
        seconds.step = 0.0
        await supervisor.open("a2")
        seconds.now += SHARE - 1.5
        assert await shown(table, WHOLE) == ["a1"]
        seconds.now += 1
        assert sorted(await shown(table, WHOLE)) == ["a1", "a2"]

    @pytest.mark.parametrize("sort", SORTS)
    async def test_never_a_closed_one(
        self, table: Table, supervisor: Supervisor, sort: Any
    ) -> None:
        """
        What is closed meanwhile is not shown, however fresh the answer is.
        """
        for number in range(3):
            await supervisor.open(f"{number}")
        query = Query(sort=sort)
        assert len(await shown(table, query)) == 3
        supervisor.close_soon("1")
        found = await table.page(query)
        assert sorted(row["id"] for row in found["rows"]) == ["0", "2"]
        assert found["total"] == 2

    async def test_closing_meanwhile(self, table: Table, supervisor: Supervisor) -> None:
        """
        What ends meanwhile is shown as it is now.
        """
        session = await supervisor.open("a")
        session.push_async_callback(asyncio.sleep, 1)
        await shown(table, WHOLE)
        session.close_soon()
        (row,) = (await table.page(WHOLE))["rows"]
        assert (row["state"], row["expires_in"]) == ("closing", None)


class TestLetGo:
    async def test_of_the_oldest(self, table: Table, supervisor: Supervisor) -> None:
        """
        Only some answers are kept: the one that was wanted longest ago goes.
        """
        gone = await doomed(supervisor, "a")
        first = Query(search="a")
        assert await shown(table, first) == ["a"]
        supervisor.close_soon("a")
        for number in range(KEPT - 1):
            await table.page(Query(search=f"other {number}"))
        await table.page(first)  # which makes it the newest
        for number in range(KEPT - 1):
            assert gone() is not None
            await table.page(Query(search=f"another {number}"))
        assert len(table._answers) == KEPT
        await table.page(Query(search="last"))
        assert len(table._answers) == KEPT
        gc.collect()
        assert gone() is None

    async def test_of_the_old(self, table: Table, supervisor: Supervisor, seconds: Seconds) -> None:
        """
        What is too old is not kept until somebody asks for it again.
        """
        gone = await doomed(supervisor, "a")
        await table.page(WHOLE)
        supervisor.close_soon("a")
        seconds.now += LEAST / 2
        await table.page(EASY)
        seconds.now += LEAST / 2
        assert gone() is not None
        table.forget_old()
        assert len(table._answers) == 1
        assert gone() is None

    @pytest.mark.virtual_time
    async def test_by_the_updates(self, supervisor: Supervisor, seconds: Seconds) -> None:
        """
        Each update of the page lets go of what is too old; to stop, of everything.
        """
        probe = Probe(supervisor)
        probe.start()
        first, second = await doomed(supervisor, "a"), await doomed(supervisor, "b")
        await probe.sessions(WHOLE)
        supervisor.close_soon("a")
        seconds.now += LEAST
        await asyncio.sleep(1.5)
        assert first() is None
        await probe.sessions(WHOLE)
        supervisor.close_soon("b")
        assert second() is not None
        probe.stop()
        assert second() is None


class TestSlices:
    async def test_turns_of_others(
        self, monkeypatch: pytest.MonkeyPatch, steps: Callable[[], int]
    ) -> None:
        """
        When a slice is over, others get their turn; before that nobody does.
        """
        items = range(10 * BATCH + 1)
        monkeypatch.setattr(_slices, "SLICE", 3600.0)
        before = steps()
        found = [list(batch) async for batch in batches(items)]
        assert steps() == before
        monkeypatch.setattr(_slices, "SLICE", -1.0)
        assert [list(batch) async for batch in batches(items)] == found
        assert steps() - before == len(found) == 11
        assert [each for batch in found for each in batch] == list(items)

    @pytest.mark.parametrize(
        "query", [Query(sort="idle"), Query(search="a"), Query(sort="weight", state="idle")]
    )
    async def test_of_the_table(
        self,
        supervisor: Supervisor,
        monkeypatch: pytest.MonkeyPatch,
        steps: Callable[[], int],
        query: Query,
    ) -> None:
        """
        To look at all sessions is done in slices, and so are the rows of a page.
        """
        for number in range(3 * BATCH):
            await supervisor.open(f"a{number}")
        monkeypatch.setattr(_slices, "SLICE", -1.0)
        table = Table(supervisor, redaction("none"))
        before = steps()
        await table.page(query)
        assert steps() - before >= 3 + ROWS / _table.AT_ONCE
        before = steps()
        await table.page(query)
        assert steps() - before == ROWS / _table.AT_ONCE
        before = steps()
        last = await table.page(replace(query, page=15))
        assert len(last["rows"]) == ROWS
        assert steps() - before == 14 + ROWS / _table.AT_ONCE

    async def test_two_at_once(self, supervisor: Supervisor) -> None:
        """
        Two who turn the pages of one answer at once miss nothing.
        """
        for number in range(1000):
            await supervisor.open(f"{number}")
        table = Table(supervisor, redaction("none"))
        await table.page(WHOLE)
        pages = await asyncio.gather(
            *(table.page(Query(sort="idle", page=number)) for number in (10, 4, 7, 10, 1))
        )
        told = [[row["idle"] for row in page["rows"]] for page in pages]
        assert [len(each) for each in told] == [ROWS] * 5
        assert pages[0]["rows"] == pages[3]["rows"]
        ids = {row["id"] for page in pages for row in page["rows"]}
        assert len(ids) == 4 * ROWS
