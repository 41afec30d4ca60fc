"""
Tasks that swallow a cancellation: they go on to their end as if nobody had cancelled them.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final, cast

from anyio._backends import _asyncio

from ._places import LIBRARIES, frames_of, module, place, what_runs

Task = asyncio.Task[Any]

LOSES: Final = (
    " (Python 3.11's own asyncio.wait_for does so if what it waits for is done at the same time: "
    "use asyncio.timeout)"
)
GROUP_LOSES: Final = (
    " (asyncio.TaskGroup does so before Python 3.13 if one of its tasks fails at the same time)"
)
CLOSING_LOSES: Final = (
    " (the aclose() of an async generator does so before Python 3.13 if it has not begun yet)"
)
ANYIO_LOSES: Final = (
    " (a task group of anyio does so if its own scope was cancelled in the same turn of the loop)"
)

WRAPPERS: Final = ("TaskHandle._run_coro", "TaskGroup._run_wrapped_task")
"""What anyio runs around what a task group was given, in one version and another."""


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
        # Not asked in public: that would count as the asking of who ought to.
        failed = task._exception is not None
        ended = task.done() and not task.cancelled() and not failed
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
        own = frames and not module(frames[0]).startswith(LIBRARIES)
        if each is not main and own and inspect.iscoroutine(each.get_coro()):
            hit.append(Hit(each, each.cancelling(), what_runs(each), place(each), excuse(each)))
        each = _waited_for(each)
    return hit


def excuse(task: Task) -> str:
    """
    Return what Python or anyio may have to do with it that *task* swallows a cancellation now.
    """
    frames = frames_of(task)
    waiter = _waiter(task)
    if frames and frames[-1].f_code is _asyncio.TaskGroup.__aexit__.__code__:
        return ANYIO_LOSES if waiter is not None and waiter.cancelled() else ""
    return "" if sys.version_info >= (3, 13) else _mended_since(task, frames)


def _mended_since(task: Task, frames: list[FrameType]) -> str:  # pragma: no cover - 3.13 needs none
    if sys.version_info < (3, 12) and any(f.f_code is asyncio.wait_for.__code__ for f in frames):
        return LOSES
    if frames and module(frames[-1]) == "asyncio.taskgroups":
        return GROUP_LOSES
    waited = _waited_for(task)
    while waited is not None and inspect.iscoroutine(waited.get_coro()):
        waited = _waited_for(waited)
    return "" if waited is None else CLOSING_LOSES


def waits_on(task: Task) -> bool:
    """
    Tell whether *task* waits, in a cancelled scope of anyio, for something that goes on.

    In a shield it may, and where it waits for the end of what it has cancelled: in asyncio's group.
    """
    backend: Any = _asyncio
    scope = getattr(backend._task_states.get(task), "cancel_scope", None)
    waiter = _waiter(task)
    if waiter is None or waiter.done() or scope is None or not scope._effectively_cancelled:
        return False
    return module(frames_of(task)[-1]) != "asyncio.taskgroups"


def never_begun(task: Task) -> list[Coroutine[Any, Any, Any]]:
    """
    Return what *task* of a group of anyio was to run, if it has not begun yet.

    If it is cancelled now it never will, and anyio does not close it.
    """
    wrapper: Any = task.get_coro()
    name = getattr(wrapper, "__qualname__", "")
    if name not in WRAPPERS or inspect.getcoroutinestate(wrapper) != "CORO_CREATED":
        return []
    given = wrapper.cr_frame.f_locals
    coro = given["coro"] if "coro" in given else given["self"]._coro
    return [coro] if inspect.iscoroutine(coro) else []


def _waited_for(task: Task) -> Task | None:
    waiter = _waiter(task)
    is_task = isinstance(waiter, asyncio.Task)
    return cast("Task", waiter) if is_task else None


def _waiter(task: Any) -> Any:
    return task._fut_waiter
