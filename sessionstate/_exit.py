"""Running a program so that signals unwind it."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import FrameType
from typing import Any, TypeVar

from ._context import Task
from ._signals import Handlers

T = TypeVar("T")


def run(
    main: Coroutine[Any, Any, T],
    *,
    debug: bool | None = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """
    Run *main* as `asyncio.run` does, but let SIGTERM and SIGHUP unwind it too.

    Without this, those signals end a Python process at once: neither ``finally`` nor ``atexit``
    runs. With it, they cancel *main*, as Ctrl+C does, and when it has unwound `SystemExit` is
    raised with 128 plus the signal's number. (On Windows: SIGTERM where it is delivered, and
    SIGBREAK.) A signal that comes before *main* begins keeps it from beginning; one that comes
    after it has returned lets the loop be closed in order first.

    A second signal changes nothing, so that no clean-up is cut short: each is bounded by
    `shutdown_timeout` already. A main that goes on after a signal, and says so with
    ``asyncio.current_task().uncancel()``, is cancelled again by the next one. Ctrl+C is
    `asyncio.Runner`'s: the second one raises KeyboardInterrupt at once.

    A signal that is ignored, as SIGHUP is under nohup, stays ignored. What handled the signals
    before does so afterwards. Outside of the main thread, signals are left alone.

    Args:
        main: The coroutine to run.
        debug: As for `asyncio.Runner`.
        loop_factory: As for `asyncio.Runner`; for uvloop, ``uvloop.new_event_loop``.

    Raises:
        SystemExit: If a signal came, and *main* was cancelled by it or had returned before.

    .. versionadded:: 0.1
    """
    given: object = main
    if not inspect.iscoroutine(given):
        raise TypeError(
            f"run() needs a coroutine, not {main!r}: write run(main()), with the brackets"
        )
    if asyncio._get_running_loop() is not None:
        main.close()
        raise RuntimeError("run() cannot be called from a running event loop: await main() instead")
    unwinding = Unwinding()
    handlers = Handlers(unwinding.on_signal)
    if threading.current_thread() is threading.main_thread():
        handlers.install(instead_of_others=True)
    try:
        with asyncio.Runner(debug=debug, loop_factory=loop_factory) as runner:
            try:
                result = runner.run(unwinding.body(main))
            except asyncio.CancelledError:
                if unwinding.received:
                    raise SystemExit(128 + unwinding.received[0]) from None
                raise
    finally:
        main.close()  # it may not have begun
        handlers.restore()
    if unwinding.late:
        raise SystemExit(128 + unwinding.late[0])
    return result


class Unwinding:
    """
    What signals do to one main.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        """The signals that came before main was done."""
        self.late: list[int] = []
        """Those that came afterwards."""
        self._task: Task | None = None

    async def body(self, main: Coroutine[Any, Any, T]) -> T:
        """Run *main*, unless a signal came before."""
        self._task = asyncio.current_task()
        if self.received:
            raise asyncio.CancelledError
        return await main

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Cancel main, from within whatever runs in this thread."""
        task = self._task
        if task is not None and task.done():
            self.late.append(number)
            return
        self.received.append(number)
        if task is not None:
            with suppress(RuntimeError):  # the loop is closed already
                first = len(self.received) == 1
                task.get_loop().call_soon_threadsafe(self._cancel, task, number, first)

    def _cancel(self, task: Task, number: int, first: bool) -> None:  # noqa: FBT001 - as the loop calls
        if task.done():  # main returned without another await
            self.late.append(number)
        elif first or not task.cancelling():
            task.cancel()
