"""
Processes that left the group they were born into: found by their ancestors, and by a mark.

Each process that a session starts has a mark in its environment, which all that it starts inherit.
So a daemon, which forks twice and begins a session of its own, is still told from a stranger; one
that also clears its environment is found only while its ancestors live. Looking costs a pass over
the machine's processes, some 20 us for each: it is done in a thread, and one pass answers all who
ask meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import psutil

MARK: Final = "SESSIONSTATE_OWNER"
"""The variable; its value names the owners from the outermost on, with colons between."""

PASSES: Final = 3  # the later ones only over those that were not there before

_MARKED: Final = b"\0" + MARK.encode() + b"="
_UNMARKED: Final[frozenset[str]] = frozenset()


class Facts(NamedTuple):
    """What is known of a process."""

    parent: int
    group: int
    marks: frozenset[str]
    dead: bool


def _facts_from_proc(pid: int) -> Facts:
    with open(f"/proc/{pid}/stat", "rb", 0) as file:  # noqa: PTH123 - a Path costs as much again
        state, parent, group = file.read().rpartition(b")")[2].split()[:3]
    try:
        with open(f"/proc/{pid}/environ", "rb", 0) as file:  # noqa: PTH123 - the same
            environ = b"\0" + file.read()
    except PermissionError:  # somebody else's
        environ = b""
    marks = _UNMARKED
    start = environ.find(_MARKED)
    if start >= 0:
        value = environ[start + len(_MARKED) :].partition(b"\0")[0]
        marks = frozenset(value.decode(errors="replace").split(":"))
    return Facts(int(parent), int(group), marks, state in b"ZX")


def _facts_from_psutil(pid: int) -> Facts:
    process = psutil.Process(pid)
    try:
        value = process.environ().get(MARK)
    except psutil.AccessDenied:
        value = None
    marks = _UNMARKED if value is None else frozenset(value.split(":"))
    dead = process.status() == psutil.STATUS_ZOMBIE
    return Facts(process.ppid(), os.getpgid(pid), marks, dead)  # type: ignore[attr-defined, unused-ignore]


# On Linux straight from its files: a fifth of the time.
facts_of = _facts_from_proc if psutil.LINUX else _facts_from_psutil


def all_facts() -> dict[int, Facts]:
    """Return what is known of all processes, those included that are born meanwhile."""
    known: dict[int, Facts] = {}
    for _ in range(PASSES):
        for pid in [pid for pid in psutil.pids() if pid not in known]:
            try:
                known[pid] = facts_of(pid)
            except (OSError, psutil.Error, ValueError):  # gone
                pass
    return known


@dataclass(eq=False, slots=True)
class Question:
    """
    What is left of one tree of processes, and who wants to know.
    """

    mark: str
    root: int | None
    """The process it began with, and the number of its group; None if they may be another's."""
    answer: asyncio.Future[list[psutil.Process]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


def find(question: Question, known: dict[int, Facts]) -> list[psutil.Process]:
    """Return the live processes of a tree, without its root."""
    root = question.root
    found = {
        pid: None
        for pid, facts in known.items()
        if question.mark in facts.marks or (root is not None and root in (facts.group, pid))
    }
    children: dict[int, list[int]] = {}
    for pid, facts in known.items():
        children.setdefault(facts.parent, []).append(pid)
    queue = list(found)
    while queue:
        for pid in children.get(queue.pop(), ()):
            if pid not in found:
                found[pid] = None
                queue.append(pid)
    left: list[psutil.Process] = []
    for pid in found:
        if pid != root and not known[pid].dead:
            try:
                process = psutil.Process(pid)
                if facts_of(pid).marks == known[pid].marks:  # else another has its number now
                    left.append(process)
            except (OSError, psutil.Error, ValueError):
                pass
    return left


class Census:
    """
    The passes over all processes that one loop asks for, one at a time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._asked: list[Question] = []
        self._busy = False

    async def ask(self, question: Question) -> list[psutil.Process]:
        """Return what is left, as seen by a pass that began after this call."""
        self._asked.append(question)
        if not self._busy:
            self._begin()
        return await question.answer

    def _begin(self) -> None:
        questions, self._asked = self._asked, []
        self._busy = True
        name = "sessionstate: looking for processes"
        thread = threading.Thread(target=self._look, args=(questions,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # there are too many
            self._answer(questions, error)

    def _look(self, questions: list[Question]) -> None:
        answers: list[list[psutil.Process]] | Exception
        try:
            known = all_facts()
            answers = [find(question, known) for question in questions]
        except Exception as error:  # there may be no list of processes to see
            answers = error
        loop = self._loop()
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._answer, questions, answers)
            except RuntimeError:  # the loop was closed
                pass

    def _answer(
        self, questions: list[Question], answers: list[list[psutil.Process]] | Exception
    ) -> None:
        self._busy = False
        for number, question in enumerate(questions):
            if question.answer.done():
                continue
            if isinstance(answers, Exception):
                question.answer.set_exception(answers)
            else:
                question.answer.set_result(answers[number])
        if self._asked:
            self._begin()


_censuses: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Census] = (
    weakref.WeakKeyDictionary()
)


async def left_of(mark: str, root: int | None) -> list[psutil.Process]:
    """
    Return the live processes of a tree, without its root.

    Raises:
        Exception: If the system shows no list of processes, or grants no thread to read it.
    """
    loop = asyncio.get_running_loop()
    census = _censuses.get(loop)
    if census is None:
        census = _censuses[loop] = Census(loop)
    return await census.ask(Question(mark, root))
