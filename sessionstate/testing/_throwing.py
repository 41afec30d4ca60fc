"""
Awaits that fail: which of them can, and how one of them is made to.

A task that waited is woken with the future for which it waited. Whoever puts one that failed into
its place fails the await, whoever made the task; nothing has to be wrapped around its coroutine.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context
from types import FrameType
from typing import Any, Final, cast

from ._places import LIBRARIES, frames_of, module, place
from ._points import Injected

Task = asyncio.Task[Any]

DEAF: Final = (
    "asyncio.locks",
    "asyncio.queues",
    "asyncio.staggered",
    "asyncio.taskgroups",
    "asyncio.tasks",
    "anyio.",
    "sessionstate.",
)
"""
Modules that wait for futures which only they complete: nothing but a cancellation ever comes out of
those, so nothing else is thrown into them.
"""

BACKEND: Final = "anyio._backends._asyncio"

DEVICES: Final = (
    "AsyncIOBackend.connect_unix",
    "AsyncIOBackend.create_unix_datagram_socket",
    "AsyncIOBackend.run_sync_in_worker_thread",
    "AsyncIOBackend.wait_readable",
    "AsyncIOBackend.wait_writable",
    "ConnectedUDPSocket.",
    "ConnectedUNIXDatagramSocket.",
    "Process.",
    "SocketStream.",
    "UDPSocket.",
    "UNIXDatagramSocket.",
    "UNIXSocketListener.",
    "UNIXSocketStream.",
)
"""What waits, in that module, for somebody outside of the program: of that anything may come."""

SLEEPS: Final = {"sleep", "__sleep0"}
"""They stand for anything where somebody's own code calls them; no library's sleep ever fails."""

RUNS: Final = {"wait_for", "_run_coro", "_run_wrapped_task"}
"""What asyncio and anyio put around what they were given to run."""

WAITS: Final = {"wait_for"} if sys.version_info >= (3, 12) else set[str]()
"""What raises as it is what else is awaited; before 3.12, in a task of its own, which fails."""


class Thrower:
    """
    Counts the awaits that can fail, and lets one of them fail.
    """

    def __init__(self, at: int) -> None:
        self.awaits = 0
        self.struck = ""
        """Where the await was that failed, once it did."""
        self._at = at

    def meet(self, handle: asyncio.Handle, task: Task) -> None:
        """
        Take note that *handle* is about to wake *task*: the end of an await.
        """
        if self.struck or not can_fail(task):
            return
        self.awaits += 1
        if self.awaits == self._at:
            self.struck = place(task)
            failed = task.get_loop().create_future()
            failed.set_exception(Injected(f"injected into await {self.awaits}"))
            handle._args = (failed,)


def woken(handle: asyncio.Handle) -> Task | None:
    """
    Return the task that *handle* wakes with what it waited for, unless with an error already.

    Neither with what is to be closed, which nobody would get: it would be lost, by no fault.
    """
    callback: Any = handle._callback  # type: ignore[attr-defined]
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task) or getattr(callback, "__name__", "") != "task_wakeup":
        return None  # whoever begins was not waiting
    (future,) = handle._args
    went_wrong = future.cancelled() or getattr(future, "_exception", None) is not None
    if went_wrong or task._must_cancel:  # type: ignore[attr-defined]
        return None
    found: Task = task
    return None if _is_to_be_closed(future.result()) else found


def _is_to_be_closed(result: object) -> bool:
    several = cast("Iterable[object]", result if isinstance(result, list | tuple) else (result,))
    return any(hasattr(type(each), name) for each in several for name in ("close", "aclose"))


def can_fail(task: Task) -> bool:
    """
    Tell whether anything but a cancellation may come out of what *task* waits for.
    """
    frames = frames_of(task)
    sleeps = False
    while frames and _is(frames[-1], SLEEPS):
        sleeps = True
        frames.pop()
    if not frames:
        return sleeps
    at = frames[-1]
    if sleeps:
        return not module(at).startswith(LIBRARIES) or at.f_code.co_name in RUNS
    if module(at) == "asyncio.locks" and len(frames) > 1 and _is_device(frames[-2]):
        return True  # it is told by an event
    return not module(at).startswith(DEAF) or _is_device(at) or _is(at, WAITS)


def _is(frame: FrameType, names: set[str]) -> bool:
    return module(frame) == "asyncio.tasks" and frame.f_code.co_name in names


def _is_device(frame: FrameType) -> bool:
    return module(frame) == BACKEND and frame.f_code.co_qualname.startswith(DEVICES)


@contextmanager
def sleeps_can_fail() -> Iterator[None]:
    """
    Let ``asyncio.sleep(0)`` wait for something meanwhile: a bare ``yield`` cannot be made to fail.
    """
    tasks: Any = asyncio.tasks
    before = tasks.__sleep0
    tasks.__sleep0 = _turn
    try:
        yield
    finally:
        tasks.__sleep0 = before


class _Turn:
    """
    The next turn of the loop, as a future; to everybody else it is a bare ``yield``.
    """

    def __init__(self) -> None:
        self._asyncio_future_blocking = True
        self._loop = asyncio.get_running_loop()

    def __await__(self) -> Generator[Any, Any, None]:
        yield self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(self, callback: Callable[..., object], *, context: Context) -> None:
        self._loop.call_soon(callback, self, context=context)

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - the face of a future
        return False

    def cancelled(self) -> bool:
        return False

    def result(self) -> None:
        return None


async def _turn() -> None:
    await _Turn()
