"""
What is open at one moment, to be compared with what is open at another.

Whatever can be left is found by looking, not by recording: sessions and what they own through
their supervisors, tasks through their loop, file descriptors and children through the system.
Only containers without an owner are noted as they are made, weakly, from the import of this on.
"""

from __future__ import annotations

import asyncio
import re
import time
import weakref
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, cast

import psutil

from sessionstate import _last
from sessionstate._dependants import Vacating
from sessionstate._last import supervisors
from sessionstate._report import _outlook
from sessionstate._sites import place
from sessionstate._spans import span

from ._containers import PACKAGE, alone, named, overdue
from ._origins import called_at, defined_at, origins
from ._outside import children, open_files
from ._places import waits_at
from ._reprs import LONGEST, short_repr

if TYPE_CHECKING:
    from sessionstate._session import Session
    from sessionstate._supervisor import Supervisor

Loop = asyncio.AbstractEventLoop
Key = tuple[object, ...]
Found = dict[Key, "Leftover"]

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
    """The place in the source that opened it, where that is known; of what a session owns, else
    the place that opened the session."""
    defined_where: str | None = None
    """The place that defines what runs, of tasks and calls, where that is known."""

    @property
    def text(self) -> str:
        """
        What people read: one line, and one for each place.
        """
        name = self.name
        if len(name) > LONGEST or not name.isprintable():
            name = short_repr(name)
        text = f"{self.kind} {name}"
        if self.age is not None:
            text += f", {span(self.age)} old"
        if self.reason is not None:
            text += f": {self.reason}"
        if self.opened_where is not None:
            text += f"\n    opened at {self.opened_where}"
        if self.defined_where is not None:
            text += f"\n    defined at {self.defined_where}"
        return text

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
            name = _literally(name[:LONGEST]) + "*" * (len(name) > LONGEST)
        return f"{self.kind} {name}"

    def matches(self, pattern: str) -> bool:
        """
        Tell whether *pattern*, as of `fnmatch`, fits ``kind name``, the name or the place.

        A bracket fits itself as well, as in the ids of parametrized tests: ``"session chat[1]"``.
        A slash fits Windows' backslash, so that a pattern holds on every system.
        """
        pattern = pattern.replace("\\", "/")
        readings = pattern, pattern.replace("[", "[[]")
        places = self.opened_where or "", self.defined_where or ""
        known = f"{self.kind} {self.name}", self.name, *places
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

    def __init__(self, found: Found) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return f"<Census of {len(self)}>"

    def since(self, earlier: Census, *, ignore: Collection[str] = ()) -> list[Leftover]:
        """
        Return what is here and was not *earlier*, in the order of looking.

        Args:
            earlier: Another census, of a time before.
            ignore: Patterns, as of `fnmatch`, of what is left out: ``"session chat-*"``,
                ``"asyncio task *"``, ``"*/pool.py:*"``.
        """
        return list(self._new(earlier, patterns(ignore)).values())

    # For the checks

    def _new(self, earlier: Census, ignore: tuple[str, ...] = ()) -> Found:
        new = {key: each for key, each in self._found.items() if key not in earlier._found}
        return {key: each for key, each in new.items() if not ignored(each, ignore)}

    def _with(self, others: Iterable[Census]) -> Census:
        found = dict(self._found)
        for other in others:
            found |= other._found
        return Census(found)


def patterns(given: object) -> tuple[str, ...]:
    """Return the patterns of what may be left, or say what to write instead."""
    if isinstance(given, str) or not isinstance(given, Collection):
        one = given if isinstance(given, str) else short_repr(given)
        raise TypeError(
            f"ignore must be a list of patterns, not {short_repr(given)}: write ignore=[{one!r}]"
        )
    known = cast("Collection[object]", given)
    for each in known:
        if not isinstance(each, str):
            raise TypeError(f"a pattern to ignore is text, not {short_repr(each)}")
    return tuple(map(str, known))


def ignored(leftover: Leftover, ignore: Iterable[str]) -> bool:
    """Tell whether one of the patterns fits."""
    return any(leftover.matches(pattern) for pattern in ignore)


def tasks_of(found: Found) -> list[object]:
    """Return the tasks among it: what nobody else holds would be gone with the next collection."""
    return [cast("weakref.ref[object]", ref)() for kind, ref, *_ in found if kind == "task"]


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
    found |= _files()
    starts = origins.of_children()
    for pid, what in children().items():
        name, where = f"{pid}, {what}", starts.get(pid)
        found["child", pid] = Leftover("child process", name, _age(pid), None, where)
    return Census(found)


def kept(loop: Loop) -> Census:
    """Take a census of what *loop* has: supervisors, tasks, and sockets that others made."""
    own: set[object] = set()
    selector: Any = getattr(loop, "_selector", None)  # uvloop has none, a closed loop neither
    watched = getattr(selector, "get_map", dict[int, object])()
    sockets = [fd for fd, (where, _) in origins.of_sockets().items() if where and fd in watched]
    files = {key: each for key, each in _files().items() if key[1] in sockets} if sockets else {}
    return Census(dict(_kept(own, loop)) | dict(_tasks([loop], own)) | files)


def _files() -> Found:
    sockets = origins.of_sockets()
    found: Found = {}
    for fd, what in open_files().items():
        where, age = sockets.get(fd, (None, None))
        found["fd", fd, what] = Leftover("file descriptor", f"{fd}, {what}", age, None, where)
    return found


def activity() -> tuple[int, ...]:
    """Return what differs afterwards if something of sessionstate is opened meanwhile."""
    return (_last.entered, alone.made, *(each._number for each in supervisors()))


# Sessionstate


def _kept(own: set[object], loop: Loop | None = None) -> Iterator[tuple[Key, Leftover]]:
    """Yield what supervisors and containers keep; note the tasks and loops among it in *own*."""
    for supervisor in supervisors():
        if loop is None or supervisor._loop is loop:
            yield from _of_supervisor(supervisor, own)
    if loop is None:
        for container, where in alone.alive():
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
    for each in session.resources():
        own.add(getattr(each.handle, "_task", None))
        reason = f"of session {session.id!r}"
        given, since = origins.of(session, each.handle)
        if given is not None:
            reason += f", opened at {where}"
        leftover = Leftover(
            kind=each.kind,
            name=f"{session.id}: {each.name}",
            age=since,
            reason=reason,
            opened_where=given or where,
            defined_where=_defined(each.handle),
        )
        yield ("resource", ref, each.kind, each.name, each.handle), leftover
        if isinstance(each.handle, Vacating):
            yield from _overdue(each.handle.tenancy._tenant(), owned=True)


def _defined(handle: Any) -> str | None:
    """Return the place that defines what runs: a listener's handler, a call, a task's function."""
    task: asyncio.Task[Any] | None = getattr(handle, "_task", None)
    if task is None:
        return defined_at(getattr(handle, "_handler", None) or getattr(handle, "_call", None))
    return _code_at(task.get_coro())


def _why(session: Session) -> str:
    if session._end is not None:
        return f"it ended {span(session._ended_ago())} ago ({session._end[0]}), and cleans up"
    holders = [f"held by {holder.where}" for holder in session._holders or ()]
    return "; ".join([*holders, _outlook(session) or "it has no deadline"])


def _overdue(
    container: Any, *, owned: bool, where: str | None = None
) -> Iterator[tuple[Key, Leftover]]:
    """Yield the entries of *container* that should have gone."""
    reason = "it is overdue" + ("" if owned else ", and nobody asked: its container has no owner")
    for key in overdue(container, owned=owned):
        name = f"{short_repr(key)} of {named(container)}"
        yield ("entry", id(container), key), Leftover("entry", name, None, reason, where)


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
            defined = _code_at(coro)
            if task in own or name in RUNNERS or (defined or "").startswith(ours):
                continue
            yield (
                ("task", weakref.ref(task)),
                Leftover(
                    kind="asyncio task",
                    name=f"{task.get_name()}: {name}",
                    reason=_waits(task),
                    opened_where=called_at(coro),
                    defined_where=defined,
                ),
            )


def _code_at(coro: Any) -> str | None:
    """Return where a coroutine is defined, if it is one of a function."""
    code = getattr(coro, "cr_code", None)
    return None if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def _waits(task: asyncio.Task[Any]) -> str:
    """Say where *task* waits."""
    where = waits_at(task)
    return f"it waits at {where}" if where else "it is ending"


def _age(pid: int) -> float | None:
    """Return how old a process is, unless it is gone."""
    try:
        return max(0.0, time.time() - psutil.Process(pid).create_time())
    except psutil.Error:  # pragma: no cover - a child that ends as it is looked at
        return None
