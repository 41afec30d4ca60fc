"""
What is open at one moment, to be compared with what is open at another.

Whatever can be left is found by looking, not by recording: sessions and what they own through
their supervisors, tasks through their loop, file descriptors and children through the system.
Only containers without an owner are noted as they are made, weakly, from the import of this on.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sessionstate import _last
from sessionstate._dependants import Vacating
from sessionstate._last import supervisors
from sessionstate._report import _outlook
from sessionstate._sites import place
from sessionstate.containers import _container

from ._outside import children, open_files
from ._places import waits_at
from ._reprs import short_repr

if TYPE_CHECKING:
    from sessionstate._session import Session
    from sessionstate._supervisor import Supervisor

Loop = asyncio.AbstractEventLoop
Key = tuple[object, ...]

PACKAGE: Final = str(Path(_last.__file__).parent) + os.sep
LATE: Final = 0.1  # seconds that an owner may take to let go of what is due
PASSING: Final = re.compile(r"\bTask-\d+\b|\b0x[0-9A-Fa-f]+\b|(?<=:)\[\d+\]$")
"""What no other run has again: numbers of tasks, addresses, inodes of pipes."""
RUNNERS: Final = ("TestRunner._run_tests_and_fixtures",)
"""Coroutines of test runners, which stay from test to test: anyio's."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """
    Something that was opened and is still there.

    .. versionadded:: 0.1
    """

    kind: str
    """``supervisor``, ``session``, ``deadline``, ``entry`` of a container, ``asyncio task``,
    ``file descriptor``, ``child process``, or the kind of a `sessionstate.Resource`."""
    name: str
    """What it is called: an id, a function, a path."""
    age: float | None = None
    """Seconds since it was opened, by its own clock, where that is known."""
    reason: str | None = None
    """Why it is still there."""
    opened_where: str | None = None
    """The place in the source that opened it, where that is known; of an asyncio task, where its
    coroutine is defined."""

    @property
    def text(self) -> str:
        """
        What people read: one line, and a second one for the place.
        """
        text = f"{self.kind} {self.name}"
        if self.age is not None:
            text += f", {self.age:.3g} s old"
        if self.reason is not None:
            text += f": {self.reason}"
        if self.opened_where is None:
            return text
        word = "defined" if self.kind == "asyncio task" else "opened"
        return f"{text}\n    {word} at {self.opened_where}"

    @property
    def pattern(self) -> str:
        """
        A pattern that fits this, and the same in another run.
        """
        name = self.name
        if self.kind == "asyncio task":
            name = f"*: {_literally(name.rpartition(': ')[2])}"
        elif self.kind == "child process":
            name = f"*, {_literally(name.partition(', ')[2].rpartition(' (')[0])}*"
        elif self.kind == "file descriptor":
            what = name.partition(", ")[2]
            folder = "*/" if what.startswith("/") else ""
            name = f"*, {folder}{_literally(what.rpartition('/')[2] if folder else what)}"
        else:
            name = _literally(name)
        return f"{self.kind} {name}"

    def matches(self, pattern: str) -> bool:
        """
        Tell whether *pattern*, as of `fnmatch`, fits ``kind name``, the name or the place.

        A bracket fits itself as well, as in the ids of parametrized tests: ``"session chat[1]"``.
        A slash fits Windows' backslash, so that a pattern holds on every system.
        """
        pattern = pattern.replace("\\", "/")
        readings = pattern, pattern.replace("[", "[[]")
        known = f"{self.kind} {self.name}", self.name, self.opened_where or ""
        texts = [each.replace("\\", "/") for each in known]
        return any(fnmatchcase(text, each) for text in texts for each in readings)


def _literally(text: str) -> str:
    """Return a pattern that fits *text*, whatever passes in it."""
    parts = PASSING.split(text)
    return "*".join(re.sub(r"([*?[])", r"[\1]", part) for part in parts)


class LeftoverError(AssertionError):
    """
    Something that was opened is still there.

    .. versionadded:: 0.1
    """

    def __init__(self, leftovers: list[Leftover]) -> None:
        super().__init__(listed("what was opened is still there", leftovers))
        self.leftovers = leftovers
        """What is still there."""


class Census:
    """
    What is open at one moment; `census` takes it.

    .. versionadded:: 0.1
    """

    __slots__ = ("_found",)

    def __init__(self, found: dict[Key, Leftover]) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return f"<Census of {len(self)}>"

    def since(self, earlier: Census, *, ignore: Iterable[str] = ()) -> list[Leftover]:
        """
        Return what is here and was not *earlier*, in the order of looking.

        Args:
            earlier: Another census, of a time before.
            ignore: Patterns, as of `fnmatch`, of what is left out: ``"session chat-*"``,
                ``"asyncio task *"``, ``"*/pool.py:*"``.
        """
        patterns = tuple(ignore)
        return [each for each in self._new(earlier).values() if not ignored(each, patterns)]

    # For the plugin

    def _new(self, earlier: Census) -> dict[Key, Leftover]:
        return {key: each for key, each in self._found.items() if key not in earlier._found}

    def _with(self, others: Iterable[Census]) -> Census:
        found = dict(self._found)
        for other in others:
            found |= other._found
        return Census(found)


def ignored(leftover: Leftover, patterns: Iterable[str]) -> bool:
    """Tell whether one of *patterns* fits."""
    return any(leftover.matches(pattern) for pattern in patterns)


def listed(title: str, leftovers: Iterable[Leftover]) -> str:
    """Return one text with all of them."""
    lines = [each.text.replace("\n", "\n  ") for each in leftovers]
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)])


def census(*loops: Loop) -> Census:
    """
    Take a census of this process: of what sessionstate keeps, of tasks, descriptors and children.

    Runtime complexity: O(n), where n is the number of things that are open.

    Args:
        loops: Event loops whose tasks are looked at, besides the running one.

    .. versionadded:: 0.1
    """
    own: set[object] = set()
    found = dict(_kept(own)) | dict(_tasks(_with_running(loops), own))
    for fd, what in open_files().items():
        found["fd", fd, what] = Leftover("file descriptor", f"{fd}, {what}")
    for pid, what in children().items():
        found["child", pid] = Leftover("child process", f"{pid}, {what}")
    return Census(found)


def kept(loop: Loop) -> Census:
    """Take a census of the supervisors of *loop*, and of its tasks."""
    own: set[object] = set()
    return Census(dict(_kept(own, loop)) | dict(_tasks([loop], own)))


def activity() -> tuple[int, ...]:
    """Return what differs afterwards if something of sessionstate is opened meanwhile."""
    return (_last.entered, _alone.made, *(each._number for each in supervisors()))


# Sessionstate


def _kept(own: set[object], loop: Loop | None = None) -> Iterator[tuple[Key, Leftover]]:
    """Yield what supervisors and containers keep; note the tasks and loops among it in *own*."""
    for supervisor in supervisors():
        if loop is None or supervisor._loop is loop:
            yield from _of_supervisor(supervisor, own)
    if loop is None:
        for container, where in _alone.alive():
            yield from _overdue(container, owned=False, where=where)


def _of_supervisor(supervisor: Supervisor, own: set[object]) -> Iterator[tuple[Key, Leftover]]:
    own.add(supervisor._loop)
    assert supervisor._code is not None
    where = place(supervisor._code, supervisor._lasti)
    entered = Leftover("supervisor", supervisor.name, None, "it was entered and not left", where)
    yield ("supervisor", weakref.ref(supervisor)), entered
    for session in [*supervisor._live.values(), *supervisor._closing.values()]:
        yield from _of_session(session, own)
    for queue in (supervisor._expiry.idle, supervisor._expiry.held):
        for session in queue:
            if session._closed():
                reason = "its session is closed"
                yield (
                    ("deadline", weakref.ref(session)),
                    Leftover("deadline", session.id, 0, reason),
                )
    for tenancy in list(supervisor._tenancies):
        yield from _overdue(tenancy._tenant(), owned=True)
    for task in supervisor._abandoned:
        own.add(task)
        reason = "a clean-up has abandoned it"
        yield ("task", weakref.ref(task)), Leftover("task", task.get_name(), None, reason)


def _of_session(session: Session, own: set[object]) -> Iterator[tuple[Key, Leftover]]:
    ref, where = weakref.ref(session), session.opened_where
    age = session._clock() - session.opened_at
    yield ("session", ref), Leftover("session", session.id, age, _why(session), where)
    reason = f"of session {session.id!r}"
    for each in session.resources():
        own.add(getattr(each.handle, "_task", None))
        leftover = Leftover(each.kind, f"{session.id}: {each.name}", None, reason, where)
        yield ("resource", ref, each.kind, each.name, each.handle), leftover
        if isinstance(each.handle, Vacating):
            yield from _overdue(each.handle.tenancy._tenant(), owned=True)


def _why(session: Session) -> str:
    if session._end is not None:
        return f"it ended {session._ended_ago():.3g} s ago ({session._end[0]}), and cleans up"
    holders = [f"held by {holder.where}" for holder in session._holders or ()]
    return "; ".join([*holders, _outlook(session) or "it has no deadline"])


# Containers


class _Alone:
    """The containers that nobody owns, known weakly and by a number: they compare by content."""

    def __init__(self) -> None:
        self.made = 0
        self._refs: dict[int, tuple[Callable[[], Any], str]] = {}

    def note(self, container: object) -> None:
        """Take note of a container that is being made."""
        frame = sys._getframe(1)
        while frame.f_code.co_filename.startswith(PACKAGE) and frame.f_back is not None:
            frame = frame.f_back
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        number = self.made = self.made + 1

        def gone(_: object) -> None:
            self._refs.pop(number, None)

        self._refs[number] = weakref.ref(container, gone), where

    def alive(self) -> list[tuple[Any, str]]:
        """Return them with the places where they were made."""
        return [(ref(), where) for ref, where in list(self._refs.values())]


_alone: Final = _Alone()
_container.alone = _alone.note


def _overdue(
    container: Any, *, owned: bool, where: str | None = None
) -> Iterator[tuple[Key, Leftover]]:
    """Yield the entries of *container* that should have gone."""
    book = hasattr(container, "ticks")  # of a replay guard
    ticks = container.ticks if book else getattr(container, "_ticks", None)
    if ticks is None:
        return
    now = ticks._clock()
    # With an owner they go promptly: by the end of their tick, rounded up to that of the queue.
    due = [
        key
        for tick, _, grain, bucket in ticks._heap
        if not owned or tick + 2 * grain + LATE <= now
        for key, entry in list(bucket.items())
        if (entry if book else entry.due) <= now
    ]
    name = "ReplayGuard" if book else type(container).__name__
    reason = "it is overdue" + ("" if owned else ", and nobody asked: its container has no owner")
    for key in [*due, *getattr(container, "_ripe", ())]:
        leftover = Leftover("entry", f"{short_repr(key)} of {name}", None, reason, where)
        yield ("entry", id(container), key), leftover


# Tasks


def _with_running(loops: Iterable[Loop]) -> Iterable[Loop]:
    running = asyncio._get_running_loop()
    return loops if running is None else dict.fromkeys([*loops, running])


def _tasks(loops: Iterable[Loop], own: set[object]) -> Iterator[tuple[Key, Leftover]]:
    """Yield the tasks that are not done, and are neither the current one nor somebody's."""
    current = asyncio.current_task() if asyncio._get_running_loop() else None
    for loop in loops:
        ours = (PACKAGE,) if loop in own else ()  # a supervisor that is not left has its own tasks
        found = [each for each in asyncio.all_tasks(loop) if each is not current]
        for task in sorted(found, key=lambda each: each.get_name()):
            coro: Any = task.get_coro()
            name = getattr(coro, "__qualname__", type(coro).__name__)
            code = getattr(coro, "cr_code", None)
            file = "" if code is None else code.co_filename
            if task in own or name in RUNNERS or file.startswith(ours):
                continue
            where = None if code is None else f"{file}:{code.co_firstlineno}"
            name = f"{task.get_name()}: {name}"
            yield (
                ("task", weakref.ref(task)),
                Leftover("asyncio task", name, None, _waits(task), where),
            )


def _waits(task: asyncio.Task[Any]) -> str:
    """Say where *task* waits."""
    where = waits_at(task)
    return f"it waits at {where}" if where else "it is ending"
