"""
A count of what all sessions keep and own, made in small slices while there is somebody to read it.

A hundred thousand sessions cannot be looked at in one piece without the loop standing still, and a
thread would take the interpreter's lock from the loop for longer. So the loop itself looks at some
hundred sessions at a time, and rests between: the count takes seconds where there are many, and at
most a few per cent of the loop. What is asked of each session is asked by `map`, not by Python.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import inf
from operator import attrgetter, methodcaller
from threading import get_ident
from time import perf_counter
from typing import TYPE_CHECKING, Final

from ._clock import Seconds, seconds
from ._events import logger
from ._history import History
from ._leaks import GRACE, orphaned
from ._sites import place

if TYPE_CHECKING:
    from ._context import Task
    from ._session import Session
    from ._supervisor import Supervisor

SLICE: Final = 0.0005  # seconds of work before others get their turn
SILENT: Final = 60.0
"""Seconds after which a session without a deadline counts as such: before, it is in use."""
REST: Final = 0.02  # seconds for the others then
BATCH: Final = 128  # sessions between two looks at the clock

_slots = attrgetter("_slots")
_tasks = attrgetter("_tasks")
_steps = attrgetter("_steps")
_holders = attrgetter("_holders")
_site = attrgetter("_code", "_lasti")
_kind = attrgetter("kind")
_task = attrgetter("task")
_done = methodcaller("done")


@dataclass(frozen=True, slots=True)
class Counted:
    """
    One map, one kind of resource, or one place that opens sessions, over all live sessions.

    .. versionadded:: 0.1
    """

    name: str
    """What it is called: a map, a kind of resource, ``file:line``."""
    kind: str
    """``slot`` for maps and variables, ``resource``, or ``site``."""
    entries: int
    """How many there are: values, resources, sessions; also of those that take too long to
    close."""
    unbounded: int
    """How many of them belong to sessions without a deadline that nobody used for a minute: only a
    holder ends those, or whoever asks for it."""
    orphans: int
    """How many of them belong to sessions that should be gone."""


@dataclass(frozen=True, slots=True)
class Survey:
    """
    A count over all live sessions, made in slices: sessions come and go meanwhile.

    .. versionadded:: 0.1
    """

    at: float
    """When it was done, in seconds of the supervisor's clock."""
    took: float
    """Seconds from its first slice to its last."""
    worked: float
    """Seconds of the loop's time that it cost."""
    sessions: int
    """Sessions that were live when it began."""
    orphans: int
    """Sessions that should be gone, or let go of, as `Supervisor.leaks` says of the sampled ones;
    those that take too long to close are among them."""
    counted: tuple[Counted, ...]
    """What they keep and own, the largest first."""

    @property
    def unbounded(self) -> int:
        """
        Live sessions without a deadline, held or not, that nobody used for a minute.
        """
        return sum(each.unbounded for each in self.counted if each.kind == "site")


class Surveying:
    """
    What `Supervisor.keep_surveying` returns; `cancel` ends it.

    .. versionadded:: 0.1
    """

    __slots__ = ("_surveyor", "every")

    every: float
    """Seconds from one survey to the next."""

    def __init__(self, surveyor: Surveyor, every: float) -> None:
        self._surveyor: Surveyor | None = surveyor
        self.every = every

    def cancel(self) -> bool:
        """
        Ask for no more surveys; they go on while somebody else asks.

        Returns:
            True if it was still asking; False if this was cancelled before.
        """
        surveyor, self._surveyor = self._surveyor, None
        return surveyor is not None and surveyor.dismiss(self)


class Tally:
    """The figures of a survey that is being made."""

    def __init__(self) -> None:
        self.slots: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.sites: Counter[tuple[object, int]] = Counter()

    def add(self, sessions: list[Session]) -> None:
        """Count what *sessions* keep and own, and where they were opened."""
        self.slots.update(chain.from_iterable(map(_slots, sessions)))
        self.kinds.update(map(_kind, chain.from_iterable(filter(None, map(_steps, sessions)))))
        self.kinds.update(map(_kind, chain.from_iterable(filter(None, map(_tasks, sessions)))))
        self.sites.update(map(_site, sessions))

    def figures(self) -> Counter[tuple[str, str]]:
        """Return how many there are of each kind and name."""
        found: Counter[tuple[str, str]] = Counter()
        for key, number in self.slots.items():
            name, mark, _ = key.partition("\x00")
            if mark:  # else it is one of ours
                found["slot", name] += number
        for kind, number in self.kinds.items():
            found["resource", kind] += number
        for (code, lasti), number in self.sites.items():
            found["site", place(code, lasti)] += number  # type: ignore[arg-type]
        return found


class Surveyor:
    """Who makes the surveys of one supervisor, while anybody wants them."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self._wanted: dict[Surveying, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._begun = 0.0
        self._planned = 0.0
        self._underway: Iterator[bool] | None = None
        self.last: Survey | None = None
        self.history: History = History()

    def want(self, every: Seconds) -> Surveying:
        """Survey at least so often from now on."""
        wanted = Surveying(self, seconds("every", every))
        self._wanted[wanted] = None
        if self._underway is None:
            now = self.supervisor._loop.time()
            due = max(now, self._begun + wanted.every) if self.last is not None else now
            if self._timer is None or due < self._planned:
                self._plan(due - now)
        return wanted

    def go_on(self, every: float) -> None:
        """Survey from now on, unless somebody asked for that; nothing can be begun elsewhere."""
        supervisor = self.supervisor
        here = supervisor._running and supervisor._thread == get_ident()
        if here and not self._wanted:
            self.want(every)

    def dismiss(self, wanted: Surveying) -> bool:
        """Survey no more for somebody, if it was done."""
        found = wanted in self._wanted
        self._wanted.pop(wanted, None)
        if not self._wanted:
            self.stop()
        return found

    def stop(self) -> None:
        """Survey no more."""
        for wanted in self._wanted:  # a handle that somebody keeps must not keep all of this
            wanted._surveyor = None
        self._wanted.clear()
        self._underway = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _plan(self, delay: float) -> None:
        supervisor = self.supervisor
        if self._timer is not None:
            self._timer.cancel()
        self._planned = supervisor._loop.time() + delay
        self._timer = supervisor._loop.call_at(
            self._planned, self._step, context=supervisor._context
        )

    def _step(self) -> None:
        """Make a slice, and plan what comes next."""
        self._timer = None
        loop = self.supervisor._loop
        if loop.time() - self._planned > GRACE:
            self._plan(GRACE)  # the loop stood still: what is late may be on its way
            return
        if self._underway is None:
            self._begun = loop.time()
            self._underway = self._survey()
        try:
            over = next(self._underway)
        except Exception:
            logger.exception("a survey of supervisor %r failed", self.supervisor.name)
            over = True
        if not over:
            self._plan(REST)
            return
        self._underway = None
        every = min(wanted.every for wanted in self._wanted)
        self._plan(max(REST, every - (loop.time() - self._begun)))

    def _survey(self) -> Iterator[bool]:
        """Look at all sessions, a slice for each False; then publish, with True."""
        supervisor = self.supervisor
        began, worked = supervisor._clock(), 0.0
        long_ago = began - SILENT
        all_, unbounded, late = Tally(), Tally(), Tally()
        sessions, orphans = len(supervisor._live), 0
        left = [*supervisor._live.values(), *supervisor._closing.values()]
        while left:
            until = (start := perf_counter()) + SLICE
            while True:
                batch = left[-BATCH:]
                del left[-BATCH:]
                live = [each for each in batch if each._end is None]
                all_.add(live)
                if endless := [
                    each
                    for each in live
                    if each._limit == inf == each._max_age and each.last_used <= long_ago
                ]:
                    unbounded.add(endless)
                if stuck := self._still_closing(batch):
                    all_.add(stuck)
                if found := stuck + self._orphans(live, endless):
                    orphans += len(found)
                    late.add(found)
                del batch, live, endless, stuck, found  # they may end before this goes on
                if not left or perf_counter() >= until:
                    break
            worked += perf_counter() - start
            if left:
                yield False
        start = perf_counter()
        limitless, overdue = unbounded.figures(), late.figures()
        counted = [
            Counted(name, kind, number, limitless[kind, name], overdue[kind, name])
            for (kind, name), number in all_.figures().items()
        ]
        counted.sort(key=attrgetter("entries"), reverse=True)
        now = supervisor._clock()
        worked += perf_counter() - start
        self.last = Survey(now, now - began, worked, sessions, orphans, tuple(counted))
        self.history.add(supervisor, self.last)
        yield True

    def _still_closing(self, batch: list[Session]) -> list[Session]:
        """Return those of *batch* that take too long to close."""
        if not self.supervisor._closing:
            return []
        now = self.supervisor._clock()
        closing = [each for each in batch if each._ending is not None]
        return [each for each in closing if orphaned(each, now) is not None]

    def _orphans(self, batch: list[Session], endless: list[Session]) -> list[Session]:
        """Return those of *batch* that should be gone; a look at each only where one may be."""
        supervisor = self.supervisor
        now = supervisor._clock()
        expiry, bells = supervisor._expiry, supervisor._bells.queue
        earliest = min(expiry.idle.next_tick(), expiry.held.next_tick(), bells.next_tick())
        if earliest >= now - GRACE:
            holders = chain.from_iterable(filter(None, map(_holders, batch)))
            tasks: Iterator[Task | None] = map(_task, holders)
            if not any(map(_done, filter(None, tasks))):
                batch = [each for each in endless if not each._holders]
        return [each for each in batch if orphaned(each, now) is not None]
