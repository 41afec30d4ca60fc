"""
What is counted after a round, exactly: no statistics are needed to know that it is left.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sessionstate import ReplayGuard, Session, SessionState, Supervisor, supervisors
from sessionstate.containers._container import Container

from ._outside import children, open_files
from ._places import waits_at
from ._reprs import short_repr

Cache: Final[type[Any]] = type(lru_cache(len))
Kept = Any
"""A container, a guard, or a cache of functools."""
KEPT: Final = frozenset(map(id, (Container, ReplayGuard, Cache, Session)))
"""By `id`: somebody's types may compare as they like, or not at all."""
Task = asyncio.Task[Any]


@dataclass(frozen=True, slots=True)
class Count:
    """
    How many there are of something, and which one to show.
    """

    name: str
    unit: str
    number: int
    example: Callable[[], tuple[str, str]]
    """Returns what the oldest is called, and where it comes from."""


class Counts:
    """
    Knows what there was before the first round, and counts what came since.

    What the collector tracked then is frozen by the driver, so that each later look sees only what
    is newer.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._current = asyncio.current_task()
        self._kept: dict[int, weakref.ref[Any]] = {}
        self._closed: list[weakref.ref[Session]] = []
        self._endless = 0
        self._first_endless = "", ""
        self._unleft = 0
        self._first_unleft = "", ""
        self._before: weakref.WeakSet[Session] = weakref.WeakSet()
        self._tasks: weakref.WeakSet[Task] = weakref.WeakSet(asyncio.all_tasks())
        self._files = open_files()
        self._threads = weakref.WeakSet(threading.enumerate())
        self.look()
        for supervisor in self.supervisors():
            self._before.update(supervisor.values())
        self._closed_before = weakref.WeakSet(self._referenced())

    def supervisors(self) -> list[Supervisor]:
        """
        Return the supervisors of this loop.
        """
        return [each for each in supervisors() if each._loop is self._loop]

    def lasting(self) -> Iterator[Session]:
        """
        Yield the live sessions that were there before the first round.
        """
        return (each for each in list(self._before) if each.state is not SessionState.CLOSED)

    def left_open(self) -> list[Session]:
        """
        Return the live sessions that came since; what nothing would end of them is counted.
        """
        found = [each for one in self.supervisors() for each in one.values()]
        found = [each for each in found if each not in self._before]
        for each in found:
            unleft = _unleft(each)
            if unleft:
                self._first_unleft = self._first_unleft if self._unleft else unleft[0]
                self._unleft += len(unleft)
            elif each.deadline is None:
                self._endless += 1
                if self._endless == 1:
                    self._first_endless = f"session {short_repr(each.id)}", each.opened_where
        return found

    def look(self) -> None:
        """
        Find the containers, caches and closed sessions that the collector knows.
        """
        self._closed.clear()
        wanted: dict[int, bool] = {}  # a look at a type is dear, among a million objects
        everything: list[object] = gc.get_objects()
        for each in everything:
            name = id(type(each))
            known = wanted.get(name)
            if known is None:
                known = wanted[name] = not KEPT.isdisjoint(map(id, type(each).__mro__))
            if not known:
                continue
            if not isinstance(each, Session):
                self._kept[id(each)] = weakref.ref(each)
            elif each.state is SessionState.CLOSED:
                self._closed.append(weakref.ref(each))

    def kept(self) -> list[Any]:
        """
        Return the containers of sessionstate, and the caches of functools.
        """
        alive = {name: each for name, ref in self._kept.items() if (each := ref()) is not None}
        self._kept = {name: self._kept[name] for name in alive}
        return list(alive.values())

    def counts(self) -> Iterator[Count]:
        """
        Count everything, anew.
        """
        running = self.supervisors()
        yield Count("supervisors", "supervisors", len(running), lambda: _supervisor(running))
        yield Count(
            "sessions without a deadline", "sessions", self._endless, lambda: self._first_endless
        )
        closed = [each for each in self._referenced() if each not in self._closed_before]
        lasting = [block for each in self.lasting() for block in _unleft(each)]
        yield Count(
            "blocks that were not left",
            "blocks",
            self._unleft + len(lasting),
            lambda: self._first_unleft if self._unleft else lasting[0],
        )
        yield Count(
            "closed sessions still referenced",
            "sessions",
            len(closed),
            lambda: (f"session {short_repr(closed[0].id)}", closed[0].opened_where),
        )
        closing = [each for one in running for each in one._closing.values()]
        yield Count(
            "sessions that do not finish closing",
            "sessions",
            len(closing),
            lambda: (f"session {short_repr(closing[0].id)}", closing[0].opened_where),
        )
        queued = sum(one.statistics().queued + len(one._bells.queue) for one in running)
        yield Count("deadlines", "deadlines", queued, _nothing)
        yield from self._resources()
        tasks = [each for each in asyncio.all_tasks() if each is not self._current]
        newer = [each for each in tasks if each not in self._tasks]
        yield Count("asyncio tasks", "tasks", len(tasks), lambda: _task(newer))
        timers = [each for each in getattr(self._loop, "_scheduled", ()) if not each.cancelled()]
        yield Count(
            "timers of the loop", "timers", len(timers), lambda: (short_repr(timers[0]), "")
        )
        processes = children()
        yield Count(
            "child processes",
            "processes",
            len(processes),
            lambda: next((f"{name}, pid {pid}", "") for pid, name in processes.items()),
        )
        files = open_files()
        yield Count("file descriptors", "descriptors", len(files), lambda: (self._newer(files), ""))
        threads = threading.enumerate()
        new = [each.name for each in threads if each not in self._threads]
        yield Count("threads", "threads", len(threads), lambda: (next(iter(new), ""), ""))

    def _newer(self, files: dict[int, str]) -> str:
        new = (f"{fd}, {what}" for fd, what in files.items() if self._files.get(fd) != what)
        return next(new, "")

    def _referenced(self) -> list[Session]:
        return [each for ref in self._closed if (each := ref()) is not None]

    def _resources(self) -> Iterator[Count]:
        """
        Count what the sessions own that were there before: a long session must not grow.
        """
        found: dict[str, list[tuple[str, str]]] = {}
        for session in self.lasting():
            for each in session.resources():
                example = (f"{each.name} of session {short_repr(session.id)}", session.opened_where)
                found.setdefault(each.kind, []).append(example)
        for kind, examples in found.items():
            name = f"{kind}s of lasting sessions"
            yield Count(name, f"{kind}s", len(examples), lambda each=examples: each[-1])  # type: ignore[misc]


def _nothing() -> tuple[str, str]:
    return "", ""


def _unleft(session: Session) -> list[tuple[str, str]]:
    """
    Return the blocks of *session* that nobody will leave, because their task has ended.
    """
    found: list[tuple[str, str]] = []
    for holder in session._holders or ():
        if holder.task is not None and holder.task.done():
            what, _, where = holder.where.rpartition(" at ")
            found.append((f"{what} of session {short_repr(session.id)}", where))
    return found


def _supervisor(running: list[Supervisor]) -> tuple[str, str]:
    return short_repr(running[-1]), ""


def _task(tasks: list[Task]) -> tuple[str, str]:
    task = min(tasks, key=_made)
    coro: Any = task.get_coro()
    return f"{task.get_name()}, {getattr(coro, '__qualname__', '?')}", waits_at(task)


def _made(task: Task) -> tuple[int, str]:
    name = task.get_name()
    return len(name), name  # Task-9 was made before Task-10


def name_of(container: object) -> str:
    """
    Return what *container* is called by who holds it, as far as the collector can tell.
    """
    kind = type(container).__name__
    holders: list[dict[object, object]]
    holders = [each for each in gc.get_referrers(container) if type(each) is dict]
    for holder in holders:
        for key, value in list(holder.items()):
            if value is container and isinstance(key, str):
                module = holder.get("__name__")
                known = isinstance(module, str) and module in sys.modules
                return f"{kind} {module}.{key}" if known else f"{kind} {key}"
    return kind
