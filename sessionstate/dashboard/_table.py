"""
The table of sessions: which of them, in which order, and what is told of each.

Whatever is looked for or sorted by, all sessions are looked at in slices: short runs are sorted,
and merged only as far as the page that is wanted. The answer to a query is kept for a moment, so
that a page that refreshes itself does not ask for all of that each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain, islice
from math import inf
from operator import attrgetter
from time import perf_counter
from typing import TYPE_CHECKING, Final

from sessionstate import SessionState
from sessionstate._belongings import LOCK, VARS
from sessionstate._loading import LOADED
from sessionstate._traces import TRACE
from sessionstate._waiting import WAITERS

from ._slices import batches
from ._source import ROWS, Page, Query, Row, Sort, State

if TYPE_CHECKING:
    from sessionstate import Session, Supervisor

OURS: Final = (LOADED, LOCK, TRACE, VARS, WAITERS)
"""Slots that are neither a map's nor a variable's."""
AT_ONCE: Final = 25
"""Rows between two turns of others."""
KEPT: Final = 16
"""Queries whose answers are kept."""
LEAST: Final = 2.4
"""Seconds that an answer is good for, at least; and 20 times what it cost."""
SHARE: Final = 20


def entries_of(session: Session) -> int:
    """Return how many values *session* keeps in maps and variables."""
    slots = session._slots
    found = len(slots)
    for key in OURS:
        if key in slots:
            found -= 1
    return found


def resources_of(session: Session) -> int:
    """Return how many things *session* owns."""
    return len(session._tasks or ()) + len(session._steps or ())


def due_in(session: Session, now: float) -> float | None:
    """Return the seconds until the deadline of *session*, negative if it has passed."""
    due = session._due()
    return None if due == inf or session._end is not None else due - now


def _deadline(session: Session) -> float:
    return session._due() if session._end is None else -inf


KEYS: Final[dict[Sort, tuple[Callable[[Session], float], bool]]] = {
    "age": (attrgetter("opened_at"), False),
    "idle": (attrgetter("last_used"), False),
    "deadline": (_deadline, True),
    "entries": (entries_of, True),
    "resources": (resources_of, True),
    "weight": (attrgetter("weight"), True),
}
"""What is compared, and whether more of that is more of what is shown."""


class Search:
    """What a query looks for: the whole id, or part of what is shown."""

    def __init__(self, query: Query, redact: Callable[[str], str]) -> None:
        self._state = query.state
        self._text = query.search
        self._folded = query.search.casefold()
        self._redact = redact
        self._places: dict[tuple[int, int], bool] = {}

    def fitting(self, batch: Sequence[Session]) -> list[Session]:
        """Return those of *batch* that fit."""
        if self._state in ("open", "idle"):
            held = self._state == "open"
            batch = [each for each in batch if bool(each._holders) is held]
        return [each for each in batch if self._fits(each)] if self._text else list(batch)

    def _fits(self, session: Session) -> bool:
        folded = self._folded
        return (
            folded in self._redact(session.id).casefold()
            or session.id == self._text
            or self._place_fits(session)
            or (session.group is not None and folded in session.group.casefold())
        )

    def _place_fits(self, session: Session) -> bool:
        """Tell whether the place that opened it fits: of each place, that is asked once."""
        place = id(session._code), session._lasti
        found = self._places.get(place)
        if found is None:
            found = self._places[place] = self._folded in session.opened_where.casefold()
        return found


class Answer:
    """The sessions that fit a query, in its order, as they were a moment ago."""

    def __init__(self, found: Iterable[Session], matching: int, until: float) -> None:
        self.found: list[Session] = []
        self.matching = matching
        self.until = until
        self._rest: Iterator[Session] = iter(found)

    async def page(self, number: int) -> list[Session]:
        """Return the sessions of a page, and put in order what comes before it."""
        wanted = number * ROWS
        while len(self.found) < wanted:
            more = list(islice(self._rest, ROWS))
            if not more:
                break
            self.found += more
            await asyncio.sleep(0)
        return self.found[wanted - ROWS : wanted]


class Table:
    """The table of one supervisor's sessions."""

    def __init__(self, supervisor: Supervisor, redact: Callable[[str], str]) -> None:
        self._supervisor = supervisor
        self._redact = redact
        self._answers: dict[tuple[object, ...], Answer] = {}
        self._looking = asyncio.Lock()

    async def page(self, query: Query) -> Page:
        """Return a page; beyond the last one, the last."""
        answer = await self._answer(query)
        pages = max(1, -(-answer.matching // ROWS))
        number = min(query.page, pages)
        rows: list[Row] = []
        for made, session in enumerate(await answer.page(number), 1):
            if session.state is not SessionState.CLOSED:
                rows.append(self._row(session, self._supervisor._clock()))
            if made % AT_ONCE == 0:
                await asyncio.sleep(0)
        return Page(
            total=len(self._supervisor),
            matching=answer.matching,
            page=number,
            pages=pages,
            rows=rows,
        )

    def forget_old(self) -> None:
        """Let go of the answers that are too old, and of the closed sessions among them."""
        now = perf_counter()
        for key, answer in list(self._answers.items()):
            if now >= answer.until:
                del self._answers[key]

    def stop(self) -> None:
        """Let go of all answers."""
        self._answers.clear()

    async def _answer(self, query: Query) -> Answer:
        whole = query.sort != "age" or query.search or query.state
        key = (query.sort, query.order, query.search, query.state, None if whole else query.page)
        began = perf_counter()
        answer = self._answers.pop(key, None)
        if answer is None or began >= answer.until:
            async with self._looking:  # one after the other, however many ask
                began = perf_counter()
                found, matching = await self._look(query)
            now = perf_counter()
            answer = Answer(found, matching, now + max(LEAST, SHARE * (now - began)))
        self._answers[key] = answer
        if len(self._answers) > KEPT:
            del self._answers[next(iter(self._answers))]
        return answer

    async def _look(self, query: Query) -> tuple[Iterable[Session], int]:
        """Return the sessions that fit, in order, and how many they are."""
        supervisor = self._supervisor
        whole = supervisor._closing if query.state == "closing" else supervisor._live
        # Live ones are in the order of their opening, closing ones in that of their ends.
        by_age = query.sort == "age" and query.state != "closing"
        if by_age and not query.search and query.state is None:
            # Nothing has to be looked at but what will be shown.
            first = whole.values() if query.order == "desc" else reversed(whole.values())
            last = len(whole) // ROWS + 1
            return list(islice(first, min(query.page, last) * ROWS)), len(whole)
        sessions: Sequence[Session] = list(whole.values())
        if query.search or query.state in ("open", "idle"):
            search = Search(query, self._redact)
            fits = [search.fitting(batch) async for batch in batches(sessions)]
            sessions = list(chain.from_iterable(fits))
        if by_age:
            return sessions if query.order == "desc" else reversed(sessions), len(sessions)
        key, descending = KEYS[query.sort]
        descending = descending is (query.order == "desc")
        # Keys are not kept: a tuple for each of all sessions would wake the garbage collector.
        runs = [sorted(each, key=key, reverse=descending) async for each in batches(sessions)]
        return merge(*runs, key=key, reverse=descending), len(sessions)

    def _row(self, session: Session, now: float) -> Row:
        return Row(
            incarnation=session.incarnation,
            id=self._redact(session.id),
            state=_state(session),
            group=session.group,
            age=now - session.opened_at,
            idle=now - session.last_used,
            expires_in=due_in(session, now),
            entries=entries_of(session),
            resources=resources_of(session),
            weight=session.weight,
            holders=len(session._holders or ()),
            children=len(session.children),
            opened_where=session.opened_where,
        )


def _state(session: Session) -> State:
    match session.state:
        case SessionState.OPEN:
            return "open"
        case SessionState.IDLE:
            return "idle"
        case _:
            return "closing"
