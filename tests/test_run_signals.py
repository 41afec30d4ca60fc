"""
When signals come to `sessionstate.run`: before, after, again, to others.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

import sessionstate
from sessionstate import Supervisor
from sessionstate._exit import Unwinding
from sessionstate.testing import VirtualClock, VirtualLoop
from tests.programs import Program
from tests.test_run import SIGNALS, handlers, run, send, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["handlers"]  # a fixture for every test here


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
        return VirtualClock().new_event_loop()

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


@pytest.mark.parametrize("again", [False, True])
def test_signal_after_the_last_await(again: bool) -> None:
    """
    One that comes when main awaits nothing any more is the exit status, once main has returned.
    """
    log: list[str] = []

    async def main() -> None:
        await asyncio.sleep(1)
        send(SIGNALS[0])
        if again:
            send(SIGNALS[-1])
        log.append("returned")

    with pytest.raises(SystemExit) as caught:
        run(main())
    assert caught.value.code == 128 + SIGNALS[0]
    assert log == ["returned"]


def test_signal_in_a_closed_loop() -> None:
    """
    A signal that comes when main was given up and its loop is closed raises nothing.
    """
    task = Mock(asyncio.Task)
    task.done.return_value = False
    loop = VirtualClock().new_event_loop()
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
