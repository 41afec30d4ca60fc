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
from operator import attrgetter, itemgetter
from time import perf_counter
from typing import TYPE_CHECKING, Final

from sessionstate import SessionState

from ._slices import batches
from ._source import ROWS, Page, Query, Row, Sort, State

if TYPE_CHECKING:
    from sessionstate import Session, Supervisor

KEPT: Final = 16
"""Queries whose answers are kept."""
LEAST: Final = 0.9
"""Seconds that an answer is good for, at least; and 20 times what it cost."""
SHARE: Final = 20

_slots = attrgetter("_slots")
_first = itemgetter(0)


def entries_of(session: Session) -> int:
    """Return how many values *session* keeps in maps and variables."""
    return sum("\x00" in key for key in session._slots)


def resources_of(session: Session) -> int:
    """Return how many things *session* owns."""
    return len(session._tasks or ()) + len(session._steps or ())


def due_in(session: Session, now: float) -> float | None:
    """Return the seconds until the deadline of *session*, negative if it has passed."""
    due = session._due()
    return None if due == inf or session._end is not None else due - now


def _deadline(session: Session) -> float:
    return session._due() if session._end is None else -inf


KEYS: Final[dict[Sort, Callable[[Session], float]]] = {
    # The highest first is what "desc" means: the oldest, the one idle longest.
    "age": lambda session: -session.opened_at,
    "idle": lambda session: -session.last_used,
    "deadline": _deadline,
    "entries": entries_of,
    "resources": resources_of,
    "weight": attrgetter("weight"),
}


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

    async def page(self, query: Query) -> Page:
        """Return a page; beyond the last one, the last."""
        answer = await self._answer(query)
        pages = max(1, -(-answer.matching // ROWS))
        number = min(query.page, pages)
        now = self._supervisor._clock()
        return Page(
            total=len(self._supervisor),
            matching=answer.matching,
            page=number,
            pages=pages,
            rows=[
                self._row(session, now)
                for session in await answer.page(number)
                if session.state is not SessionState.CLOSED
            ],
        )

    async def _answer(self, query: Query) -> Answer:
        key = (query.sort, query.order, query.search, query.state)
        began = perf_counter()
        answer = self._answers.pop(key, None)
        if answer is None or began >= answer.until:
            found, matching = await self._look(query)
            now = perf_counter()
            answer = Answer(found, matching, now + max(LEAST, SHARE * (now - began)))
        self._answers[key] = answer
        if len(self._answers) > KEPT:
            del self._answers[next(iter(self._answers))]
        return answer

    async def _look(self, query: Query) -> tuple[Iterable[Session], int]:
        """Return the sessions that fit, in order, and how many they are."""
        closing = query.state == "closing"
        whole = self._supervisor._closing if closing else self._supervisor._live
        # The newest last, as they were opened: sorted by age already.
        sessions: Sequence[Session] = list(whole.values())
        backwards = query.order == "asc"
        if query.search or query.state in ("open", "idle"):
            fits = [await self._fitting(batch, query) async for batch in batches(sessions)]
            sessions = list(chain.from_iterable(fits))
        if query.sort == "age":
            return (reversed(sessions) if backwards else sessions), len(sessions)
        key = KEYS[query.sort]
        descending = not backwards
        if query.sort == "idle":  # by when it was last used, the other way round
            key, descending = attrgetter("last_used"), backwards
        runs: list[list[tuple[float, Session]]] = []
        async for batch in batches(sessions):
            run = list(zip(map(key, batch), batch, strict=True))
            run.sort(key=_first, reverse=descending)
            runs.append(run)
        merged = merge(*runs, key=_first, reverse=descending)
        return (session for _, session in merged), len(sessions)

    async def _fitting(self, batch: Sequence[Session], query: Query) -> list[Session]:
        if query.state in ("open", "idle"):
            held = query.state == "open"
            batch = [each for each in batch if bool(each._holders) is held]
        if not query.search:
            return list(batch)
        text = query.search
        return [each for each in batch if self._has(each, text, text.casefold())]

    def _has(self, session: Session, text: str, folded: str) -> bool:
        """Tell whether *text* is the id, or part of what is shown."""
        return (
            session.id == text
            or folded in self._redact(session.id).casefold()
            or (session.group is not None and folded in session.group.casefold())
            or folded in session.opened_where.casefold()
        )

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
