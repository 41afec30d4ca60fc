"""
The table of sessions: every order against a plain `sorted`, every search against a plain look.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import pairwise, product
from math import inf
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionstate import SessionMap, Supervisor
from sessionstate._redaction import redaction
from sessionstate.dashboard._source import ORDERS, ROWS, SORTS, STATES, Query
from sessionstate.dashboard._table import Table
from sessionstate.testing import VirtualClock
from tests.dashboard.shapes import check
from tests.traces import nothing, open_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate import Session
    from sessionstate.dashboard._source import Page, Row, State

MANY = 1000
NAMES = ("alice", "Bob", "carol-with-a-long-name", "STRASSE")
MAPS = [SessionMap[int](f"map {number}") for number in range(4)]


class Crowd:
    """
    A thousand sessions of all kinds, the same for the same seed.
    """

    def __init__(self, supervisor: Supervisor, clock: VirtualClock, seed: int) -> None:
        self.supervisor = supervisor
        self.clock = clock
        self.random = random.Random(seed)

    async def come(self, blocks: AsyncExitStack) -> None:
        """
        Open them, some of them held until *blocks* is left.
        """
        for number in range(MANY):
            await self._open(f"{self.random.choice(NAMES)}-{number}", blocks)
            if not self.random.randrange(3):
                self.clock.jump(self.random.random())
        sessions = list(self.supervisor.values())
        self.random.shuffle(sessions)
        for session in sessions:
            if not self.random.randrange(5) and not session._holders:
                session.push_async_callback(asyncio.sleep, 50)
                session.close_soon()
            elif not self.random.randrange(3):
                session.touch()
            if not self.random.randrange(20):
                self.clock.jump(self.random.random())

    async def _open(self, id: str, blocks: AsyncExitStack) -> None:
        pick = self.random
        options: dict[str, Any] = {
            "group": pick.choice((None, "Team A", "team-b")),
            "max_age": pick.choice((None, 3000, 5000.5)),
            "idle_timeout": pick.choice((None, 2000, 4000)),
            "weight": pick.choice((None, 1, 2.5)),
        }
        if not pick.randrange(4):
            session = await blocks.enter_async_context(self.supervisor.attach(id, **options))
        elif pick.randrange(2):
            session = await self.supervisor.open(id, **options)
        else:
            session = await open_here(self.supervisor, id)
        for each in pick.sample(MAPS, pick.randrange(4)):
            each._live = self.supervisor._live
            each[session] = 1
        for _ in range(pick.randrange(3)):
            session.callback(nothing)
        if pick.randrange(2):
            session.vars["a"] = session.lock  # neither is a map's


def shown_of(session: Session, row: Row, now: float) -> None:
    """
    Fail unless *row* says of *session* what its own attributes say.
    """
    kinds = [each.kind for each in session.resources()]
    assert row["incarnation"] == session.incarnation
    assert row["state"] == session.state
    assert row["age"] == now - session.opened_at
    assert row["idle"] == now - session.last_used
    deadline = session.deadline
    assert row["expires_in"] == (None if deadline is None else deadline - now)
    assert row["entries"] == kinds.count("slot")
    assert row["resources"] == len(kinds) - row["entries"]
    assert row["weight"] == session.weight
    assert row["group"] == session.group
    assert row["holders"] == len(session._holders or ())
    assert row["opened_where"] == session.opened_where


def key_of(sort: str) -> Callable[[Row], float]:
    """
    Return what a plain `sorted` would compare of the rows as they are shown.
    """
    if sort != "deadline":
        return lambda row: row[sort]  # type: ignore[literal-required,no-any-return]

    def key(row: Row) -> float:
        if row["state"] == "closing":
            return -inf
        return inf if row["expires_in"] is None else row["expires_in"]

    return key


def fits(session: Session, query: Query, redact: Callable[[str], str]) -> bool:
    """
    Tell whether *session* is what *query* looks for.
    """
    if query.state is not None and session.state != query.state:
        return False
    wanted = query.search.casefold()
    shown = (redact(session.id), session.group or "", session.opened_where)
    return session.id == query.search or any(wanted in each.casefold() for each in shown)


async def all_pages(table: Table, query: Query) -> list[Page]:
    """
    Turn all pages of the answer to *query*, in some order.
    """
    first = await table.page(query)
    return [first] + [
        await table.page(replace(query, page=number)) for number in range(2, first["pages"] + 1)
    ]


searches = st.sampled_from(
    ("", "", "ALI", "bob", "team", "-99", "alice-1", "carol-with-a-long-name-7", "traces.py",
     "straße", "nowhere", "map 1")
)  # fmt: skip
"""What to look for; one half of the answers should be long."""


class TestAgainstSorted:
    @given(
        seed=st.integers(0, 1 << 32),
        asked=st.lists(
            st.tuples(searches, st.sampled_from((None, *STATES))), min_size=12, max_size=12
        ),
        form=st.sampled_from(("short", "none", "hash")),
    )
    @settings(max_examples=6)
    def test_every_query(self, seed: int, asked: list[tuple[str, State | None]], form: Any) -> None:
        """
        All that fits is on the pages, each once and in order, whatever is asked for.
        """
        clock = VirtualClock()
        orders = product(SORTS, ORDERS)
        queries = [
            Query(sort, order, *wanted) for (sort, order), wanted in zip(orders, asked, strict=True)
        ]
        clock.run(self._every_query(clock, seed, queries, redaction(form)))

    async def _every_query(
        self, clock: VirtualClock, seed: int, asked: list[Query], redact: Callable[[str], str]
    ) -> None:
        async with (
            Supervisor(close_timeout=1000, shutdown_timeout=None) as supervisor,
            AsyncExitStack() as blocks,
        ):
            await Crowd(supervisor, clock, seed).come(blocks)
            table = Table(supervisor, redact)
            for query in asked:
                await self._answers(table, query, clock, redact)

    async def _answers(
        self, table: Table, query: Query, clock: VirtualClock, redact: Callable[[str], str]
    ) -> None:
        supervisor = table._supervisor
        there = supervisor._closing if query.state == "closing" else supervisor._live
        wanted = {each.incarnation: each for each in there.values() if fits(each, query, redact)}
        pages = await all_pages(table, query)
        rows: list[Row] = []
        for number, page in enumerate(pages, 1):
            assert (page["total"], page["matching"]) == (len(supervisor), len(wanted))
            assert (page["page"], page["pages"]) == (number, len(pages))
            assert len(page["rows"]) == ROWS or number == len(pages)
            rows += page["rows"]
        assert sorted(row["incarnation"] for row in rows) == sorted(wanted)
        check(pages[-1], "Page")
        for row in rows[:ROWS]:
            shown_of(wanted[row["incarnation"]], row, clock.now)
            assert row["id"] == redact(wanted[row["incarnation"]].id)
        key = key_of(query.sort)
        assert [key(row) for row in rows] == sorted(map(key, rows), reverse=query.order == "desc")
        if query.sort == "age":
            pairs = list(pairwise(row["incarnation"] for row in rows))
            if query.state != "closing":
                assert all((a > b) is (query.order == "asc") for a, b in pairs)


@pytest.fixture
def table(supervisor: Supervisor) -> Table:
    """
    Give the table of the supervisor, with ids shortened.
    """
    return Table(supervisor, redaction("short"))


class TestPages:
    async def test_nobody(self, table: Table) -> None:
        """
        Without sessions there is one page, and it is empty.
        """
        for state in (None, *STATES):
            page = await table.page(Query(state=state, page=7))
            assert page == {"total": 0, "matching": 0, "page": 1, "pages": 1, "rows": []}

    @pytest.mark.parametrize("sort", SORTS)
    async def test_beyond_the_end(self, table: Table, supervisor: Supervisor, sort: Any) -> None:
        """
        Beyond the last page comes the last.
        """
        for number in range(2 * ROWS + 1):
            await supervisor.open(f"{number}")
        for page in (3, 4, 2**63 - 1):
            found = await table.page(Query(sort=sort, page=page))
            assert (found["page"], found["pages"], len(found["rows"])) == (3, 3, 1)
        found = await table.page(Query(sort=sort, page=2))
        assert (found["page"], len(found["rows"])) == (2, ROWS)


class TestRows:
    async def test_children_and_holders(self, table: Table, supervisor: Supervisor) -> None:
        """
        A row counts who holds the session and what depends on it.
        """
        parent = await supervisor.open("parent")
        async with supervisor.attach("child", parent=parent), supervisor.attach("parent"):
            await supervisor.open("other", parent=parent)
            rows = (await table.page(Query(search="parent")))["rows"]
        assert [(row["children"], row["holders"]) for row in rows] == [(2, 2)]

    async def test_overdue(self, table: Table, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A deadline that has passed is negative; of what has ended there is none.
        """
        clock.jump(100)
        session = await supervisor.open("a", idle_timeout=10)
        session.push_async_callback(asyncio.sleep, 1)
        session.last_used -= 12
        (row,) = (await table.page(Query()))["rows"]
        assert row["expires_in"] == -2
        session.close_soon()
        (row,) = (await table.page(Query(state="closing")))["rows"]
        assert (row["state"], row["expires_in"]) == ("closing", None)


class TestClosing:
    @pytest.mark.parametrize("search", ["", "a"])
    async def test_by_age(
        self, table: Table, supervisor: Supervisor, clock: VirtualClock, search: str
    ) -> None:
        """
        Closing sessions come by their age, though they are kept in the order of their ends.
        """
        for id in ("a1", "a2", "a3"):
            (await supervisor.open(id)).push_async_callback(asyncio.sleep, 1)
            clock.jump(10)
        for id in ("a2", "a3", "a1"):
            supervisor.close_soon(id)
        for order, wanted in (("desc", ["a1", "a2", "a3"]), ("asc", ["a3", "a2", "a1"])):
            found = await table.page(Query(order=order, search=search, state="closing"))  # type: ignore[arg-type]
            assert [row["id"] for row in found["rows"]] == wanted


class TestSearch:
    async def test_whole_id(self, table: Table, supervisor: Supervisor) -> None:
        """
        A whole id is found though it is not shown whole; a hidden part of it is not.
        """
        await supervisor.open("visible-and-hidden")
        assert (await table.page(Query(search="visible-and-hidden")))["matching"] == 1
        assert (await table.page(Query(search="VISIBLE")))["matching"] == 1
        assert (await table.page(Query(search="hidden")))["matching"] == 0
        assert (await table.page(Query(search="Visible-And-Hidden")))["matching"] == 0

    async def test_place(self, table: Table, supervisor: Supervisor) -> None:
        """
        A part of the place that opened it finds all that were opened there.
        """
        for number in range(3):
            await open_here(supervisor, f"{number}")
        await supervisor.open("elsewhere")
        found = await table.page(Query(search="TRACES.PY"))
        assert {row["id"] for row in found["rows"]} == {"0", "1", "2"}
