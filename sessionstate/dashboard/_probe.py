"""
What looks at a supervisor for the page, in the supervisor's own loop, once a second.

An update asks only for what is at hand: counters, the ends of two queues, the last survey. What
takes longer is made by others in slices: surveys, the table, the leak report.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from itertools import islice
from math import inf
from time import monotonic, time
from typing import TYPE_CHECKING, Final

from sessionstate import CloseReason, ProductionReport, Statistics
from sessionstate._limits import resident_memory
from sessionstate._production import report_in_steps
from sessionstate._redaction import Redact, redaction

from ._curves import Curves
from ._detail import Details
from ._source import Counted, Deadline, Detail, Overview, Page, Query, Suspect, Tiles
from ._table import Table

if TYPE_CHECKING:
    from sessionstate import ProductionRow, Session, Supervisor, Surveying

logger = logging.getLogger("sessionstate.dashboard")

EVERY: Final = 1.0
"""Seconds from one update to the next."""
BEAT: Final = 0.1
"""Seconds from one sign of the loop's life to the next."""
REPORT_EVERY: Final = 10.0
DEADLINES: Final = 50
LOOKED_AT: Final = 256
"""Sessions of each queue among which the next deadlines are sought."""
SUSPECTS: Final = 10
COUNTED: Final = 30
MINUTE: Final = 60
LEAST: Final = 5
"""Seconds that have to be seen before anything is told per minute."""


class Probe:
    """
    A `Source` that lives in the loop of its supervisor.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        *,
        redact: Redact | None = None,
        allow_close: bool = False,
        patience: float = inf,
    ) -> None:
        self.supervisor = supervisor
        self.latest: Overview | None = None
        """The newest update, with its history. May be read in any thread."""
        self.beat: float = 0.0
        """When the loop last gave a sign of life, in seconds of `time.monotonic`."""
        self.published: Callable[[], object] | None = None
        """Called after each update."""
        self._allow_close = allow_close
        self._patience = patience
        self._asked = -inf
        self._redact = redaction(redact)
        self._table = Table(supervisor, self._redact)
        self._details = Details(supervisor, self._redact)
        self._curves = Curves()
        self._rss = resident_memory()
        self._seen: deque[tuple[float, int, int, int]] = deque(maxlen=MINUTE + 1)
        self._timer: asyncio.TimerHandle | None = None
        self._surveying: Surveying | None = None
        self._newer: asyncio.Future[None] | None = None
        self._delay = 0.0
        self._planned = 0.0
        self._number = 0
        self._report: ProductionReport | None = None
        self._reporting: asyncio.Task[ProductionReport] | None = None
        self._reported = 0.0
        self._started = 0.0

    # Its life

    def start(self) -> None:
        """
        Begin to look, once the supervisor runs; to call it again says that somebody still looks.
        """
        supervisor = self.supervisor
        if not supervisor._running:
            return
        self._asked = supervisor._loop.time()
        if self._timer is not None:
            return
        self._surveying = supervisor.keep_surveying(EVERY)
        self._planned = supervisor._loop.time()
        if not self._number:  # else it was stopped, and goes on
            self._started = self._planned
        self._tick()

    def stop(self) -> None:
        """
        Look no more, and let go of everything.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._surveying is not None:
            self._surveying.cancel()
            self._surveying = None
        if self._reporting is not None:
            self._reporting.cancel()
        self._details.stop()
        self._table.stop()
        self._wake()

    def _tick(self) -> None:
        """Give a sign of life, and an update when its time has come."""
        supervisor, loop = self.supervisor, self.supervisor._loop
        now = loop.time()
        self.beat = monotonic()
        self._delay = max(self._delay, now - self._planned)
        self._planned = now + BEAT
        self._timer = loop.call_at(self._planned, self._tick, context=supervisor._context)
        over = not supervisor._running
        if over or now - self._started >= self._number * EVERY:
            self._number = max(self._number, int((now - self._started) / EVERY)) + 1
            self._update()
        if over or now - self._asked > self._patience:
            self.stop()

    def _update(self) -> None:
        supervisor = self.supervisor
        statistics, requests, rss = supervisor.statistics(), supervisor.requests, self._rss()
        orphans = None if supervisor.survey is None else supervisor.survey.orphans
        at = time()
        watched = supervisor._loop.time() - self._started if self._number else 0.0
        self._seen.append((watched, statistics.opened, statistics.closed, requests))
        sample = self._curves.add(at, statistics, requests, orphans, rss)
        self._details.look_away()
        self._table.forget_old()
        self.latest = Overview(
            number=self._number,
            at=at,
            supervisor=supervisor.name,
            running=supervisor._running,
            uptime=supervisor._clock() - supervisor._entered_at if supervisor._entered else 0.0,
            allow_close=self._allow_close,
            blocked=None,
            tiles=self._tiles(statistics, requests, orphans, rss),
            sample=sample,
            history=self._curves.samples,
            minutes=self._curves.minutes,
            reasons={str(key): number for key, number in statistics.closed_by_reason.items()},
            deadlines=self._deadlines(),
            suspects=self._suspects(),
            counted=self._counted(),
            counted_ago=self._counted_ago(),
        )
        self._delay = 0.0
        self._wake()

    def _wake(self) -> None:
        newer, self._newer = self._newer, None
        if newer is not None and not newer.done():
            newer.set_result(None)
        if self.published is not None:
            self.published()

    # What is told

    def _tiles(self, statistics: Statistics, requests: int, orphans: int | None, rss: int) -> Tiles:
        survey = self.supervisor.survey
        first, last = self._seen[0], self._seen[-1]
        seconds = last[0] - first[0]
        opened, closed, asked = (
            (new - old) * MINUTE / seconds if seconds >= LEAST else None
            for old, new in zip(first[1:], last[1:], strict=True)
        )
        return Tiles(
            live=statistics.live,
            held=statistics.held,
            idle=statistics.idle,
            closing=statistics.closing,
            unbounded=statistics.unbounded if survey is None else survey.unbounded,
            opened_per_minute=opened,
            closed_per_minute=closed,
            requests=requests or statistics.opened,
            requests_per_minute=asked if requests else None,
            automatic_share=self._curves.automatic_share(),
            orphans=orphans,
            rss=rss,
            loop_delay=self._delay,
            clean_up_errors=statistics.clean_up_errors,
            stuck=statistics.stuck,
            abandoned=statistics.abandoned,
            refused=statistics.refused,
        )

    def _deadlines(self) -> list[Deadline]:
        """Return the next ones, among the first of both queues."""
        expiry = self.supervisor._expiry
        near = [
            (due, session.incarnation, session)
            for queue in (expiry.held, expiry.idle)
            for session in islice(queue, LOOKED_AT)
            if (due := session._due()) < inf
        ]
        near.sort()
        return [
            Deadline(
                incarnation=incarnation,
                id=self._redact(session.id),
                seconds=due - session._clock(),
                reason=session._due_reason()[0],
            )
            for due, incarnation, session in near[:DEADLINES]
        ]

    def _counted(self) -> list[Counted]:
        survey = self.supervisor.survey
        found = [] if survey is None else [each for each in survey.counted if each.kind != "site"]
        return [
            Counted(
                name=each.name,
                kind="slot" if each.kind == "slot" else each.name,
                entries=each.entries,
                orphans=each.orphans,
            )
            for each in found[:COUNTED]
        ]

    def _counted_ago(self) -> float | None:
        survey = self.supervisor.survey
        return None if survey is None else self.supervisor._clock() - survey.at

    def _suspects(self) -> list[Suspect]:
        """Return the first rows of the leak report, and have it made again if it is old."""
        loop = self.supervisor._loop
        if self.supervisor._running and loop.time() - self._reported >= REPORT_EVERY:
            self._make_report()
        made = self._report
        rows, counted = ((), "") if made is None else (made.rows, made.counted)
        return [_suspect(row, counted) for row in rows if row.verdict is not None][:SUSPECTS]

    def _make_report(self) -> asyncio.Task[ProductionReport]:
        if self._reporting is None or self._reporting.done():
            supervisor = self.supervisor
            self._reporting = asyncio.Task(
                self._report_in_steps(),
                loop=supervisor._loop,
                name=f"{supervisor.name}: leak report",
                context=supervisor._context.copy(),
            )
        return self._reporting

    async def _report_in_steps(self) -> ProductionReport:
        for made in report_in_steps(self.supervisor._surveyor):
            self._report = made or self._report
            await asyncio.sleep(0)
        self._reported = asyncio.get_running_loop().time()
        assert self._report is not None
        return self._report

    # As a source

    async def overview(self, after: int | None = None) -> Overview:
        """
        Return the newest update, or wait for one *after* that number.
        """
        self.start()
        while after is not None and self._timer is not None and self._number <= after:
            if self._newer is None:
                self._newer = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._newer)
        if self.latest is None:  # the supervisor does not run yet, or any more
            self._update()
        assert self.latest is not None
        return without_history(self.latest) if after is not None else self.latest

    async def sessions(self, query: Query) -> Page:
        """
        Return a page of the table; beyond the last one, the last.
        """
        return await self._table.page(query)

    async def session(self, incarnation: int) -> Detail | None:
        """
        Return all of one session.
        """
        return await self._details.show(incarnation)

    async def close(self, incarnation: int, by: str) -> bool:
        """
        Decide the end of a session, as `deleted`.
        """
        session = await self._details.find(incarnation)
        decided = session is not None and self._end(session)
        logger.warning(
            "session %r (life %d) was %s by %s",
            "unknown" if session is None else self._redact(session.id),
            incarnation,
            "closed" if decided else "asked to close, and was not live,",
            by,
        )
        return decided

    @staticmethod
    def _end(session: Session) -> bool:
        return session.close_soon(CloseReason.DELETED)

    async def report(self) -> ProductionReport:
        """
        Return the leak report.
        """
        made = self._make_report()
        await asyncio.wait([made])  # if that is cancelled by `stop`, who waits here was not
        return self.supervisor.leak_report() if made.cancelled() else made.result()


def _suspect(row: ProductionRow, counted: str) -> Suspect:
    return Suspect(
        name=row.name,
        kind=row.kind,
        unit=row.unit,
        per=counted,
        slope=row.slope,
        low=row.low,
        high=row.high,
        count=row.count,
        verdict=row.verdict or "",
        since=row.since,
        values=list(row.values),
    )


def without_history(overview: Overview) -> Overview:
    """Return an update as those get it who have the history already."""
    found = overview.copy()
    found.pop("history", None)
    return found
