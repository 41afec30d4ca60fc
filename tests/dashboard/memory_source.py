"""
A source without a supervisor, whose answers a test decides; it may be asked from any loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sessionstate.dashboard._source import (
    LONGEST_SEARCH,
    ROWS,
    Blocked,
    Detail,
    NotAnsweringError,
    Overview,
    Page,
    Query,
    Row,
    Sample,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = 1_700_000_000.0
STYLE = "p { color: red }"


class MemoryReport:
    """
    A leak report with nothing in it.
    """

    def html(self) -> str:
        """
        Return a page with a style inside.
        """
        return f"<!doctype html><title>Report</title><style>{STYLE}</style><p>Nothing."

    def as_json(self) -> str:
        """
        Return what a program reads.
        """
        return '{"verdict": "bounded"}'


class MemorySource:
    """
    Sessions with these incarnations, and updates when a test wants one.
    """

    def __init__(self, live: Iterable[int] = (1, 2)) -> None:
        self.live = dict.fromkeys(live)
        self.closed: list[tuple[int, str]] = []
        self.queries: list[Query] = []
        self.blocked: Blocked | None = None
        self.stale = False
        self.begun = 0
        self.stopped = 0
        self._number = 1
        self._waiting: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}

    def start(self) -> None:
        """
        Note that it begins.
        """
        self.begun += 1

    def stop(self) -> None:
        """
        Note that it ends.
        """
        self.stopped += 1

    @property
    def waiting(self) -> int:
        """
        How many wait for the next update.
        """
        return len(self._waiting)

    def advance(self) -> None:
        """
        Make the next update.
        """
        self._number += 1
        for future, loop in list(self._waiting.items()):
            loop.call_soon_threadsafe(future.set_result, None)

    async def overview(self, after: int | None = None) -> Overview:
        """
        Return the update, or wait for the next.
        """
        if after is None:
            return {**self._overview(), "history": [self._sample()]}
        while self._number <= after and not self.stale:
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            self._waiting[future] = loop
            try:
                await future
            finally:
                del self._waiting[future]
        return self._overview()

    def _sample(self) -> Sample:
        return {"at": NOW, "requests": 0, "live": 2, "orphans": None, "rss": 1000}

    def _overview(self) -> Overview:
        return {
            "number": self._number,
            "at": NOW,
            "supervisor": "sessionstate",
            "running": True,
            "uptime": 1.0,
            "allow_close": False,
            "blocked": self.blocked,
            "tiles": {
                "live": len(self.live),
                "held": 0,
                "idle": len(self.live),
                "closing": 0,
                "unbounded": 0,
                "opened_per_minute": None,
                "closed_per_minute": None,
                "requests": 0,
                "requests_per_minute": None,
                "automatic_share": None,
                "orphans": None,
                "rss": 1000,
                "loop_delay": 0.0,
                "clean_up_errors": 0,
                "stuck": 0,
                "abandoned": 0,
                "refused": 0,
            },
            "sample": self._sample(),
            "minutes": [],
            "reasons": {},
            "deadlines": [],
            "suspects": [],
            "counted": [],
            "counted_ago": None,
        }

    def _answer(self) -> None:
        if self.blocked is not None:
            raise NotAnsweringError(self.blocked)

    async def sessions(self, query: Query) -> Page:
        """
        Note what was asked, and return all.
        """
        self._answer()
        assert len(query.search) <= LONGEST_SEARCH
        self.queries.append(query)
        rows: list[Row] = [
            {
                "incarnation": number,
                "id": f"session-{number}",
                "state": "idle",
                "group": None,
                "age": 1.0,
                "idle": 1.0,
                "expires_in": None,
                "entries": 0,
                "resources": 0,
                "weight": 0.0,
                "holders": 0,
                "children": 0,
                "opened_where": "app.py:1",
            }
            for number in self.live
        ]
        count = len(rows)
        return {"total": count, "matching": count, "page": 1, "pages": 1, "rows": rows[:ROWS]}

    async def session(self, incarnation: int) -> Detail | None:
        """
        Return one, if it is live.
        """
        self._answer()
        if incarnation not in self.live:
            return None
        return {
            "incarnation": incarnation,
            "id": f"session-{incarnation}",
            "state": "idle",
            "reason": None,
            "opened_at": NOW,
            "age": 1.0,
            "idle": 1.0,
            "expires_in": None,
            "group": None,
            "weight": 0.0,
            "opened_where": "app.py:1",
            "opened_by": [],
            "used_at": [],
            "orphan": None,
            "parent": None,
            "children": [],
            "holders": [],
            "resources": [],
            "more_resources": 0,
            "events": [],
        }

    async def close(self, incarnation: int, by: str) -> bool:
        """
        Note what is closed, and by whom.
        """
        self._answer()
        if incarnation not in self.live:
            return False
        del self.live[incarnation]
        self.closed.append((incarnation, by))
        return True

    async def report(self) -> MemoryReport:
        """
        Return a report.
        """
        self._answer()
        return MemoryReport()
