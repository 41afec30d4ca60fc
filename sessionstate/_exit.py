"""The last layers: signals that would end the process without unwinding anything."""

from __future__ import annotations

import asyncio
import inspect
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Final, TypeVar

T = TypeVar("T")

SIGNALS: Final = ("SIGTERM", "SIGHUP", "SIGBREAK")  # of which each platform has some


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
    SIGBREAK.) Outside of the main thread, signals are left alone.

    Args:
        main: The coroutine to run.
        debug: As for `asyncio.Runner`.
        loop_factory: As for `asyncio.Runner`; for uvloop, ``uvloop.new_event_loop``.

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
    with asyncio.Runner(debug=debug, loop_factory=loop_factory) as runner:
        if threading.current_thread() is not threading.main_thread():
            return runner.run(main)
        return _run_with_signals(runner, main)


def _run_with_signals(runner: asyncio.Runner, main: Coroutine[Any, Any, T]) -> T:
    received: list[int] = []
    loop = runner.get_loop()

    async def body() -> T:
        task = asyncio.current_task()
        assert task is not None

        def on_signal(number: int, _frame: FrameType | None) -> None:
            received.append(number)
            loop.call_soon_threadsafe(task.cancel)

        before: dict[int, Any] = {}
        for name in SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                before[number] = signal.signal(number, on_signal)
        try:
            return await main
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    try:
        return runner.run(body())
    except asyncio.CancelledError:
        if received:
            raise SystemExit(128 + received[0]) from None
        raise
