from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import sessionstate
from sessionstate import CloseReason, Supervisor
from sessionstate.testing import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIGNALS = [
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
]
# os.kill() with SIGTERM ends a Windows process at once, so there the handler is called directly.
KILLS = sys.platform != "win32"


def send(number: int) -> None:
    """
    Send a signal to this process.
    """
    if KILLS:
        os.kill(os.getpid(), number)
    else:
        signal.raise_signal(number)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """
    Expect each signal's handler to be as it was.
    """
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


def run(main: Any, **options: Any) -> Any:
    """
    Run in virtual time.
    """
    return sessionstate.run(main, loop_factory=VirtualClock().new_event_loop, **options)


async def serve(log: list[str], inside: Callable[[], object]) -> None:
    """
    Be a server with one session, inside of which something happens.
    """
    async with Supervisor() as supervisor:
        supervisor.on_close(lambda s, reason: log.append(f"{s.id} {reason}"))
        async with supervisor.session("a") as s:
            s.push_async_callback(asyncio.sleep, 1)
            s.callback(log.append, "released")
            await supervisor.open("b")
            inside()
            try:
                await asyncio.Event().wait()
            finally:
                log.append("body")


def test_gives_the_result() -> None:
    """
    It runs a coroutine as `asyncio.run` does, and gives its result or error.
    """

    async def main(value: object) -> object:
        assert asyncio.get_running_loop().get_debug() is True
        if isinstance(value, BaseException):
            raise value
        return value

    assert run(main(5), debug=True) == 5
    with pytest.raises(ValueError, match="no"):
        run(main(ValueError("no")), debug=True)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: signal.Signals(number).name)
def test_signal_unwinds(number: int) -> None:
    """
    A signal that would end the process at once unwinds it, and is its exit status.
    """
    log: list[str] = []
    with pytest.raises(SystemExit) as caught:
        run(serve(log, lambda: send(number)))
    assert caught.value.code == 128 + number
    assert log == [
        "body",
        f"a {CloseReason.CANCELLED}",
        "released",
        f"b {CloseReason.SHUTDOWN}",
    ]


def test_second_signal() -> None:
    """
    A second signal while unwinding loses nothing, and the first one is the status.
    """
    log: list[str] = []

    def twice() -> None:
        loop = asyncio.get_running_loop()
        send(SIGNALS[0])
        loop.call_later(0.5, send, SIGNALS[-1])

    with pytest.raises(SystemExit) as caught:
        run(serve(log, twice))
    assert caught.value.code == 128 + SIGNALS[0]
    assert log.count("released") == 1


def test_signal_that_is_survived() -> None:
    """
    A main that answers a signal by returning ends as it likes.
    """

    async def main() -> str:
        send(SIGNALS[0])
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        return "done"

    assert run(main()) == "done"


def test_cancellation_without_a_signal() -> None:
    """
    A main that is cancelled by itself raises CancelledError, as with `asyncio.run`.
    """

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    with pytest.raises(asyncio.CancelledError):
        run(main())


def test_interrupt() -> None:
    """
    Ctrl+C unwinds as with `asyncio.run`.
    """
    log: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run(serve(log, lambda: signal.raise_signal(signal.SIGINT)))
    assert "released" in log


def test_other_threads() -> None:
    """
    Outside of the main thread, signals are left alone.
    """
    results: list[object] = []
    before = signal.getsignal(SIGNALS[0])

    async def main() -> bool:
        return signal.getsignal(SIGNALS[0]) is before

    thread = threading.Thread(target=lambda: results.append(run(main())))
    thread.start()
    thread.join()
    assert results == [True]


def test_inside_a_running_loop() -> None:
    """
    Inside a running loop it is a RuntimeError, as `asyncio.run` is.
    """

    async def main() -> None:
        inner = asyncio.sleep(0)
        try:
            with pytest.raises(RuntimeError, match=r"running event loop|already runs"):
                run(inner)
        finally:
            inner.close()

    run(main())


def test_what_is_no_coroutine() -> None:
    """
    A function instead of its coroutine is refused, and no handler is left behind.
    """

    async def main() -> None: ...

    with pytest.raises((TypeError, ValueError), match="coroutine"):
        run(main)


def test_context() -> None:
    """
    The coroutine sees the context variables of its caller.
    """
    var: contextvars.ContextVar[int] = contextvars.ContextVar("var")

    async def main() -> int:
        return var.get()

    token = var.set(5)
    try:
        assert run(main()) == 5
    finally:
        var.reset(token)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="SIGHUP is a signal of POSIX")
def test_ignored_signal_stays_ignored() -> None:
    """
    A signal that was ignored before, as SIGHUP is under nohup, stays ignored.
    """

    async def main() -> object:
        return signal.getsignal(signal.SIGHUP)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert sessionstate.run(main()) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
