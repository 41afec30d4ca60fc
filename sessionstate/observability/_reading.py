"""
The figures of a supervisor, for whoever asks in whichever thread.

A scrape comes in a thread of its own, and may not walk what the loop is changing. So the loop takes
the figures, when it is asked to, and the asking thread waits for a moment. A loop that does not
come to it stands still: then the figures are those that were taken last, and say how old they are.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event, Lock, get_ident
from time import monotonic
from typing import TYPE_CHECKING, Final

import psutil

from sessionstate import Growth
from sessionstate._production import report_in_steps

from ._names import Names

if TYPE_CHECKING:
    from sessionstate import ProductionReport, Statistics, Supervisor, Survey, Surveying

PATIENCE: Final = 0.05  # seconds that another thread waits for the loop
FRESH: Final = 0.05  # seconds for which other threads do not ask again: for one collection
REPORT: Final = 60.0  # seconds for which a leak report is good: it is the square of its samples


@dataclass(frozen=True, slots=True)
class Map:
    """What there is in one map, over all sessions."""

    entries: int
    orphans: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of one supervisor at one moment."""

    taken: float
    """When, in seconds of `time.monotonic`."""
    statistics: Statistics
    requests: int
    unbounded: int
    """Sessions without a deadline: by the last survey, or, before there is one, those held."""
    orphans: int | None
    """Sessions that should be gone; None until all were counted once."""
    maps: dict[str, Map]
    resources: dict[str, int]
    slopes: dict[str, float]
    """Growth of maps, in entries per 1000 requests."""
    leaks: int | None
    """Rows of the leak report whose verdict is that they leak; None as long as there is none."""

    @property
    def age(self) -> float:
        """Seconds since it was taken."""
        return max(0.0, monotonic() - self.taken)


class Reader:
    """
    Who reads the figures of one supervisor, and keeps it counting its sessions.

    It refers to the supervisor weakly: a registry that lives as long as the process keeps nothing
    alive.
    """

    def __init__(self, supervisor: Supervisor, max_names: int, survey_every: float | None) -> None:
        self.name: str = supervisor.name
        self.last: Reading | None = None
        self._supervisor = weakref.ref(supervisor)
        self._maps, self._kinds = Names(max_names), Names(max_names)
        self._every = survey_every
        self._surveying: Surveying | None = None
        self._survey: Survey | None = None
        self._counted: tuple[dict[str, Map], dict[str, int]] = {}, {}
        self._report_due = 0.0
        self._making: Iterator[ProductionReport | None] | None = None
        self._slopes: dict[str, float] = {}
        self._leaks: int | None = None
        self._lock = Lock()
        self._asked: tuple[float, Event] | None = None
        self._answered = -FRESH
        self._over = False
        if supervisor._thread in (0, get_ident()):
            self._take()

    def read(self) -> Reading | None:
        """Return what is to be told now; None if there is nothing, or no more."""
        supervisor = self._supervisor()
        if supervisor is None or self._over:
            return None
        if supervisor._thread in (0, get_ident()):
            self._take()
        else:
            with self._lock:
                self._ask(supervisor)
        return self.last

    def is_over(self) -> bool:
        """Tell whether there is nothing to come: it was closed, or its supervisor was left."""
        supervisor = self._supervisor()
        if supervisor is None or self._over:
            return True
        return supervisor._entered and not supervisor._running

    def is_gone(self) -> bool:
        """Tell whether there is nothing left to read."""
        return self._over or self._supervisor() is None

    def close(self) -> None:
        """Read nothing any more, and let the surveys end that nobody else wants."""
        self._over = True
        self.last = self._making = None
        if self._surveying is not None:
            self._surveying.cancel()

    def _ask(self, supervisor: Supervisor) -> None:
        """Have the loop take the figures, and wait for a moment."""
        if monotonic() - self._answered < FRESH:
            return
        if self._asked is None or self._asked[1].is_set():
            self._asked = monotonic(), Event()
            try:
                supervisor._loop.call_soon_threadsafe(self._take_for, self._asked[1])
            except RuntimeError:  # the loop is closed: nothing changes any more
                self._take_for(self._asked[1])
        asked, taken = self._asked
        taken.wait(max(0.0, asked + PATIENCE - monotonic()))

    def _take_for(self, taken: Event) -> None:
        try:
            self._take()
        finally:
            self._answered = monotonic()
            taken.set()

    def _take(self) -> None:
        """Take the figures, in the loop's own thread."""
        supervisor = self._supervisor()
        if supervisor is None or self._over:
            return
        within = supervisor._running and asyncio._get_running_loop() is supervisor._loop
        if within and self._surveying is None and self._every is not None:
            self._surveying = supervisor.keep_surveying(self._every)
        survey = supervisor.survey
        if survey is not None and survey is not self._survey:
            self._survey = survey
            self._counted = self._count(survey)
        if not within:
            self._making = None
        elif survey is not None:  # for a report would ask for surveys
            self._judge(supervisor)
        maps, resources = self._counted
        statistics = supervisor.statistics()
        self.last = Reading(
            monotonic(),
            statistics,
            supervisor.requests,
            statistics.unbounded if survey is None else survey.unbounded,
            None if survey is None else survey.orphans,
            maps,
            resources,
            self._slopes,
            self._leaks,
        )

    def _count(self, survey: Survey) -> tuple[dict[str, Map], dict[str, int]]:
        """Put together what has no series of its own."""
        maps: dict[str, Map] = dict.fromkeys(self._counted[0], Map(0, 0))
        resources: dict[str, int] = dict.fromkeys(self._counted[1], 0)
        for each in survey.counted:
            if each.kind == "slot":
                name = self._maps.of(each.name)
                so_far = maps.get(name, Map(0, 0))
                maps[name] = Map(so_far.entries + each.entries, so_far.orphans + each.orphans)
            elif each.kind == "resource":
                name = self._kinds.of(each.name)
                resources[name] = resources.get(name, 0) + each.entries
        return maps, resources

    def _judge(self, supervisor: Supervisor) -> None:
        """Have a leak report made, a row at a time, if the last one is old."""
        if self._making is None and monotonic() >= self._report_due:
            self._making = report_in_steps(supervisor._surveyor)
            self._go_on()

    def _go_on(self) -> None:
        """Make the next row, and let others get their turn; of the last one on, tell them all."""
        supervisor = self._supervisor()
        if supervisor is None or self._making is None:
            return
        report = next(self._making)
        if report is None:
            supervisor._loop.call_soon(self._go_on, context=supervisor._context)
            return
        self._making = None
        self._report_due = monotonic() + REPORT
        self._leaks, self._slopes = len(report.leaks), {}
        for row in report.rows:
            if row.kind == "map":
                name = self._maps.of(row.name)
                slope = row.slope if row.verdict is Growth.LEAK else 0.0
                self._slopes[name] = max(slope, self._slopes.get(name, slope))


def resident() -> int:
    """Return the resident memory of this process, in bytes."""
    return psutil.Process().memory_info().rss  # made anew: a fork is another process
