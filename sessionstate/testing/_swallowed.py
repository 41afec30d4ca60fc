"""
Tasks that swallow a cancellation: they go on to their end as if nobody had cancelled them.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any, Final, cast

from ._places import LIBRARIES, frames_of, module, place, what_runs

Task = asyncio.Task[Any]

LOSES: Final = (
    " (Python 3.11's own asyncio.wait_for does so if what it waits for is done at the same time: "
    "use asyncio.timeout)"
)


@dataclass(frozen=True, slots=True)
class Hit:
    """
    A task of somebody's own, as it is cancelled.
    """

    task: Task
    cancelled: int
    """How often it was cancelled before, and has not taken that back."""
    what: str
    where: str
    excuse: str

    @property
    def swallowed(self) -> bool:
        """
        Whether it ended well although it was cancelled, and by nobody else.

        Whoever is cancelled by others too may be told to end in such a way.
        """
        task = self.task
        ended = task.done() and not task.cancelled() and task.exception() is None
        return ended and self.cancelled == 0 and task.cancelling() == 1

    @property
    def told(self) -> str:
        """
        What is wrong.
        """
        return (
            f"{self.what} swallowed the cancellation that it got at {self.where}, and went on to "
            f"its end{self.excuse}"
        )


def hits(task: Task, main: Task) -> list[Hit]:
    """
    Return who is hit if *task* is cancelled, as far as it can be told, but for the *main* one.

    Who waits for a task hands the cancellation on to it, and is cancelled only if that is. What
    libraries run may end as it likes.
    """
    hit: list[Hit] = []
    each: Task | None = task
    while each is not None:
        frames = frames_of(each)
        if each is not main and frames and not module(frames[0]).startswith(LIBRARIES):
            hit.append(Hit(each, each.cancelling(), what_runs(each), place(each), excuse(each)))
        each = _waited_for(each)
    return hit


def excuse(task: Task) -> str:
    """
    Return what Python itself may have to do with it that *task* swallows a cancellation now.
    """
    if sys.version_info >= (3, 12):  # pragma: no cover - mended there
        return ""
    waits = any(frame.f_code is asyncio.wait_for.__code__ for frame in frames_of(task))
    return LOSES if waits else ""


def _waited_for(task: Task) -> Task | None:
    waiter: Any = task._fut_waiter  # type: ignore[attr-defined]
    is_task = isinstance(waiter, asyncio.Task)
    return cast("Task", waiter) if is_task else None
