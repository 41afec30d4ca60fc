from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

import sessionstate
from sessionstate import CloseReason, Supervisor
from sessionstate._exit import Unwinding
from tests.programs import Program
from tests.virtual_time import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

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
    return sessionstate.run(main, loop_factory=VirtualLoop, **options)


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


def test_second_signal_cuts_nothing_short() -> None:
    """
    What main itself awaits while it unwinds is not cancelled by a second signal.
    """
    log: list[str] = []

    async def main() -> None:
        try:
            send(SIGNALS[0])
            await asyncio.Event().wait()
        finally:
            send(SIGNALS[-1])
            await asyncio.sleep(1)
            log.append("unwound")

    with pytest.raises(SystemExit) as caught:
        run(main())
    assert caught.value.code == 128 + SIGNALS[0]
    assert log == ["unwound"]


def test_second_signal_after_the_first_was_answered() -> None:
    """
    A main that goes on after a signal, and says so, is cancelled by the next one.
    """
    log: list[str] = []

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        for number in SIGNALS[0], SIGNALS[-1]:
            send(number)
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                log.append("cancelled")
                task.uncancel()
        await asyncio.sleep(1)

    run(main())
    assert log == ["cancelled", "cancelled"]


def test_signal_before_main_begins() -> None:
    """
    A signal that comes before main begins keeps it from beginning.
    """

    def factory() -> VirtualLoop:
        send(SIGNALS[0])
        return VirtualLoop()

    async def main() -> None:
        raise AssertionError

    with pytest.raises(SystemExit) as caught:
        sessionstate.run(main(), loop_factory=factory)
    assert caught.value.code == 128 + SIGNALS[0]


def test_loop_that_cannot_be_made() -> None:
    """
    An error before main begins is raised, and nobody complains that main was not awaited.
    """

    def factory() -> VirtualLoop:
        raise OSError("too many open files")

    with pytest.raises(OSError, match="too many"):
        sessionstate.run(asyncio.sleep(0), loop_factory=factory)


def test_signal_after_main_returned() -> None:
    """
    A signal that comes while the loop is being closed lets that happen in order, and is the status.
    """
    log: list[str] = []

    async def leftover() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            send(SIGNALS[0])
            await asyncio.sleep(1)
            log.append("leftover")

    async def generator() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(1)
            log.append("generator")

    async def main() -> None:
        keep.append(asyncio.create_task(leftover()))
        keep.append(generator())
        await anext(keep[-1])
        asyncio.get_running_loop().run_in_executor(None, log.append, "executor")

    keep: list[Any] = []
    with pytest.raises(SystemExit) as caught:
        run(main())
    assert caught.value.code == 128 + SIGNALS[0]
    assert sorted(log) == ["executor", "generator", "leftover"]


def test_signal_in_a_closed_loop() -> None:
    """
    A signal that comes when main was given up and its loop is closed raises nothing.
    """
    task = Mock(asyncio.Task)
    task.done.return_value = False
    loop = VirtualLoop()
    loop.close()
    task.get_loop.return_value = loop
    unwinding = Unwinding()
    unwinding._task = task
    unwinding.on_signal(SIGNALS[0], None)
    assert unwinding.received == [SIGNALS[0]]


@pytest.mark.real_loop
def test_blocked_loop() -> None:
    """
    While the loop is blocked nothing unwinds; when it goes on, the signal takes effect.
    """
    log: list[str] = []

    def block() -> None:
        send(SIGNALS[0])
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            pass
        log.append("blocked")

    with pytest.raises(SystemExit):
        sessionstate.run(serve(log, block))
    assert log[:2] == ["blocked", "body"]


@pytest.mark.real_loop
@pytest.mark.skipif(sys.platform == "win32", reason="uvloop has no Windows build")
def test_uvloop() -> None:
    """
    On uvloop a signal unwinds as well, also one that comes while the loop sleeps.
    """
    uvloop = pytest.importorskip("uvloop")
    log: list[str] = []

    async def main() -> None:
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
        timer.start()
        try:
            async with Supervisor() as supervisor, supervisor.session("a") as s:
                s.push_async_callback(clean, 0.01, "async")
                await asyncio.Event().wait()
        finally:
            timer.join()

    async def clean(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        log.append(name)

    with pytest.raises(SystemExit) as caught:
        sessionstate.run(main(), loop_factory=uvloop.new_event_loop)
    assert caught.value.code == 128 + signal.SIGTERM
    assert log == ["async"]


def test_handler_of_main() -> None:
    """
    A handler that main installs is its own affair, and stays.
    """

    async def main() -> None:
        signal.signal(SIGNALS[0], signal.SIG_IGN)

    before = signal.getsignal(SIGNALS[0])
    run(main())
    after = signal.signal(SIGNALS[0], before)
    assert after is signal.SIG_IGN


def test_handler_before() -> None:
    """
    A handler that was there before is there again afterwards, and was not called meanwhile.
    """
    log: list[str] = []

    def handler(*_: object) -> None:
        log.append("handler")

    before = signal.signal(SIGNALS[0], handler)
    try:
        with pytest.raises(SystemExit):
            run(serve(log, lambda: send(SIGNALS[0])))
        after = signal.getsignal(SIGNALS[0])
    finally:
        signal.signal(SIGNALS[0], before)
    assert after is handler
    assert "handler" not in log


@pytest.mark.real_loop
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
def test_forked_child_can_be_terminated(tmp_path: Path) -> None:
    """
    A forked child gives the handlers back: multiprocessing's terminate() ends it.
    """
    source = """
import multiprocessing, warnings
warnings.simplefilter("ignore")
async def main():
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()
    child.join()
    log(child.exitcode)
sessionstate.run(main())
"""
    with Program(tmp_path, source) as program:
        assert program.status() == 0, program.output
    assert program.log() == ["-15"]


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
