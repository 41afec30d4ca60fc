"""
Processes that left the group they were born into: found by their ancestors, and by a mark.

Each process that a session starts has a mark in its environment, which all that it starts inherit.
So a daemon, which forks twice and begins a session of its own, is still told from a stranger; one
that also clears its environment is found only while its ancestors live. Looking costs a pass over
the machine's processes, some 40 us for each: it is done in a thread, and one pass answers all who
ask meanwhile. A process that cannot be looked at, as its entry blocks, is left out from then on.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import threading
import time
import weakref
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import psutil

MARK: Final = "SESSIONSTATE_OWNER"
"""The variable; its value names the owners from the outermost on, with colons between."""

PASSES: Final = 3  # the later ones only over those that were not there before
STUCK = 0.5  # seconds between two looks at how far a pass is
RHYTHM: Final = 0.05  # seconds between looks that are in no hurry, so that they share a pass
SHARE: Final = 10  # such looks take one core's time by at most one part in this

GET_CHILD_SUBREAPER: Final = 37

_MARKED: Final = b"\0" + MARK.encode() + b"="
_UNMARKED: Final[frozenset[str]] = frozenset()


class Facts(NamedTuple):
    """What is known of a process."""

    parent: int
    group: int
    marks: frozenset[str]
    dead: bool
    born: float
    """When it began, in any unit: a number that was given again has another."""


def _facts_from_proc(pid: int) -> Facts:
    with open(f"/proc/{pid}/stat", "rb", 0) as file:  # noqa: PTH123 - a Path costs as much again
        fields = file.read().rpartition(b")")[2].split()
    try:
        with open(f"/proc/{pid}/environ", "rb", 0) as file:  # noqa: PTH123 - the same
            environ = b"\0" + file.read()
    except (PermissionError, ProcessLookupError, FileNotFoundError):  # somebody else's, or dead
        environ = b""
    marks = _UNMARKED
    start = environ.find(_MARKED)
    if start >= 0:
        value = environ[start + len(_MARKED) :].partition(b"\0")[0]
        marks = frozenset(value.decode(errors="replace").split(":"))
    return Facts(int(fields[1]), int(fields[2]), marks, fields[0] in b"ZX", int(fields[19]))


def _facts_from_psutil(pid: int) -> Facts:
    process = psutil.Process(pid)
    try:
        value = process.environ().get(MARK)
    except (psutil.AccessDenied, psutil.ZombieProcess):
        value = None
    marks = _UNMARKED if value is None else frozenset(value.split(":"))
    dead = process.status() == psutil.STATUS_ZOMBIE
    return Facts(process.ppid(), os.getpgid(pid), marks, dead, process.create_time())  # type: ignore[attr-defined, unused-ignore]


# On Linux straight from its files: a fifth of the time.
facts_of = _facts_from_proc if psutil.LINUX else _facts_from_psutil

# What cannot be read for another reason, as there are too many open files, may well live.
GONE: Final = (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess)
HIDDEN: Final = (PermissionError, psutil.AccessDenied)


def all_facts(reading: set[int], skipped: Collection[int] = ()) -> dict[int, Facts]:
    """
    Return what is known of all processes, those included that are born meanwhile.

    Which process is being read is in *reading* meanwhile; those *skipped* are not read.
    """
    known: dict[int, Facts] = {}
    for _ in range(PASSES):
        for pid in [pid for pid in psutil.pids() if pid not in known and pid not in skipped]:
            reading.add(pid)
            try:
                known[pid] = facts_of(pid)
            except (*GONE, *HIDDEN):
                pass
            reading.discard(pid)
    return known


def adopts() -> bool:
    """Tell whether orphans come to this process: it is process 1, or a subreaper."""
    flag = ctypes.c_int()
    if psutil.LINUX:  # pragma: no branch - elsewhere there are no subreapers
        ctypes.CDLL(None).prctl(GET_CHILD_SUBREAPER, ctypes.byref(flag), 0, 0, 0)
    return bool(flag.value) or os.getpid() == 1


@dataclass(eq=False, slots=True)
class Question:
    """
    What is left of one tree of processes, and who wants to know.
    """

    mark: str
    root: int | None
    answer: asyncio.Future[Left] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Left(NamedTuple):
    """What is left of a tree of processes."""

    living: list[psutil.Process]
    """Those that live, without its root."""
    only_dead: bool
    """Whether its group is there, and all that were seen in it are dead."""


class Seen:
    """
    All processes, as one pass saw them, by what they have in common.
    """

    def __init__(self, known: dict[int, Facts]) -> None:
        self._known = known
        self._children: dict[int, list[int]] = {}
        self._groups: dict[int, list[int]] = {}
        self._marked: dict[str, list[int]] = {}
        for pid, facts in known.items():
            self._children.setdefault(facts.parent, []).append(pid)
            self._groups.setdefault(facts.group, []).append(pid)
            for mark in facts.marks:
                self._marked.setdefault(mark, []).append(pid)
        self._ours: dict[int, int] = {}
        """Through which child of this process another descends from it, where that can be told."""
        if not adopts():
            for child in self._children.get(os.getpid(), ()):
                self._ours.update(dict.fromkeys(self._below([child]), child))

    def _below(self, ancestors: Iterable[int]) -> dict[int, None]:
        """Return these and their descendants."""
        found = dict.fromkeys(ancestors)
        queue = list(found)
        while queue:
            for pid in self._children.get(queue.pop(), ()):
                if pid not in found:
                    found[pid] = None
                    queue.append(pid)
        return found

    def find(self, mark: str, root: int | None) -> Left:
        """
        Return what is left of a tree.

        Its *root* is the process it began with, and the number of its group; None if that may be
        another's by now.
        """
        group = [] if root is None else self._groups.get(root, [])
        itself = [] if root is None or root not in self._known else [root]
        living: list[psutil.Process] = []
        for pid in self._below([*itself, *group, *self._marked.get(mark, ())]):
            # Another child of ours has the mark only because this process took it over.
            if pid == root or self._known[pid].dead or self._ours.get(pid, root) != root:
                continue
            try:
                process = psutil.Process(pid)
                if facts_of(pid).born == self._known[pid].born:  # else another has its number now
                    living.append(process)
            except GONE:
                pass
        return Left(living, bool(group) and all(self._known[pid].dead for pid in group))


class Census:
    """
    The passes over all processes that one loop asks for, one at a time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._asked: list[Question] = []
        self._asking: list[Question] | None = None
        """Those that the running pass, or the one that is about to run, answers."""
        self._reading: set[int] = set()
        """What is read now; each that stays here blocks a pass that was given up."""
        self._skipped: frozenset[int] = frozenset()
        self._took = 0.0

    async def ask(self, question: Question) -> Left:
        """Return what is left, as seen by a pass that began after this call."""
        self._asked.append(question)
        if self._asking is None:
            self._asking = []
            asyncio.get_running_loop().call_soon(self._begin)  # after others that ask just now
        return await question.answer

    def rest(self, now: float) -> float:
        """Return the seconds until those look that are in no hurry: all at the same time."""
        if adopts():  # what dies before it was seen cannot be told from another's child
            return 0.0
        rhythm = max(RHYTHM, SHARE * self._took)
        return rhythm - now % rhythm

    def _begin(self) -> None:
        questions, self._asked = self._asked, []
        self._asking = questions
        self._skipped = frozenset(self._reading)
        name = "sessionstate: looking for processes"
        args = (questions, self._skipped)
        thread = threading.Thread(target=self._look, args=args, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # there are too many
            self._answer(questions, error)
        else:
            asyncio.get_running_loop().call_later(STUCK, self._check, questions, None)

    def _check(self, questions: list[Question], before: set[int] | None) -> None:
        """Begin a pass anew that hangs with one process, without that."""
        if self._asking is not questions:
            return
        reading = self._reading - self._skipped
        if reading != before:
            asyncio.get_running_loop().call_later(STUCK, self._check, questions, reading)
        elif reading:
            self._asked = [*questions, *self._asked]
            self._begin()
        else:
            self._answer(questions, TimeoutError("the list of processes cannot be read"))

    def _look(self, questions: list[Question], skipped: frozenset[int]) -> None:
        answers: list[Left] | Exception
        begun = time.monotonic()
        try:
            seen = Seen(all_facts(self._reading, skipped))
            answers = [seen.find(question.mark, question.root) for question in questions]
        except Exception as error:  # there may be no list of processes to see
            answers = error
        loop = self._loop()
        if loop is not None:
            try:
                took = time.monotonic() - begun
                loop.call_soon_threadsafe(self._answer, questions, answers, took)
            except RuntimeError:  # the loop was closed
                pass

    def _answer(
        self, questions: list[Question], answers: list[Left] | Exception, took: float = 0.0
    ) -> None:
        for number, question in enumerate(questions):
            if question.answer.done():
                continue
            if isinstance(answers, Exception):
                question.answer.set_exception(answers)
            else:
                question.answer.set_result(answers[number])
        if self._asking is questions:  # else it was given up
            self._asking, self._took = None, took
            if self._asked:
                self._begin()


_censuses: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Census] = (
    weakref.WeakKeyDictionary()
)


def census() -> Census:
    """Return the running loop's."""
    loop = asyncio.get_running_loop()
    found = _censuses.get(loop)
    if found is None:
        found = _censuses[loop] = Census(loop)
    return found
