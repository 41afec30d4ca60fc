"""
Signals while loops run in other threads: they come to the main thread, which waits for the others.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from sessionstate import Supervisor
from sessionstate._signals import multiplexer
from sessionstate.testing import VirtualClock
from tests.bodies import LONG
from tests.programs import PATIENCE
from tests.test_signals import FIRST, ends, fill, handle, handlers, raised

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = ["handlers", "raised"]  # fixtures


@contextmanager
def elsewhere(
    supervisor: Supervisor, log: list[str], clean_up: Callable[[], Awaitable[object]] | None = None
) -> Iterator[asyncio.AbstractEventLoop]:
    """
    Run *supervisor* in the loop of another thread, with a session whose clean-up is async.
    """
    ready, done = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def clean() -> None:
        await (asyncio.sleep(0) if clean_up is None else clean_up())
        log.append("elsewhere")

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        async with supervisor:
            (await supervisor.open("a")).push_async_callback(clean)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield loops[0]
    finally:
        loops[0].call_soon_threadsafe(done.set)
        thread.join()
        multiplexer.restore()  # which only this thread can


def test_are_ended_first(raised: list[int], log: list[str]) -> None:
    """
    The sessions of a loop in another thread are ended there, async clean-up too.
    """
    supervisor = Supervisor()
    supervisor.install_signal_handlers()
    with elsewhere(supervisor, log):
        with pytest.raises(SystemExit):
            handle(FIRST)
        assert (log, raised) == (["elsewhere"], [FIRST])


def test_loop_here_too(raised: list[int], log: list[str]) -> None:
    """
    If a loop runs in the main thread as well, its own sessions end last.
    """
    supervisor = Supervisor()
    supervisor.install_signal_handlers()

    async def main() -> None:
        async with Supervisor() as here:
            here.install_signal_handlers()
            fill(await here.open("here"), log)
            handle(FIRST)
            await asyncio.sleep(LONG)

    with elsewhere(supervisor, log):
        ends(main(), FIRST, raised)
    assert log == ["elsewhere", "here async", "here sync"]


def test_that_are_being_left(raised: list[int], log: list[str]) -> None:
    """
    A signal waits for what is being left already, so that a second one cuts nothing short.
    """
    begun, asked = threading.Event(), asyncio.Event()

    class Asked(Supervisor):
        __slots__ = ()

        async def _stop(self) -> None:
            asked.set()
            await super()._stop()

    async def clean_up() -> None:
        begun.set()
        await asked.wait()

    supervisor = Asked()
    supervisor.install_signal_handlers()
    with elsewhere(supervisor, log, clean_up) as loop:
        loop.call_soon_threadsafe(supervisor._leave)
        assert begun.wait(PATIENCE)
        with pytest.raises(SystemExit):
            handle(FIRST)
        assert (log, raised) == (["elsewhere"], [FIRST])


def test_loop_that_is_stuck(
    raised: list[int], log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A loop that does not go on is waited for as long as leaving may take, and then abandoned.
    """
    monkeypatch.setattr("sessionstate._signals.SLACK", 0.0)
    stuck, release = threading.Event(), threading.Event()
    supervisor = Supervisor(shutdown_timeout=0.01)
    supervisor.install_signal_handlers()

    def block() -> None:
        stuck.set()
        release.wait(PATIENCE)

    with elsewhere(supervisor, log) as loop:
        loop.call_soon_threadsafe(block)
        assert stuck.wait(PATIENCE)
        with pytest.raises(SystemExit):
            handle(FIRST)
        assert raised == [FIRST]
        assert not release.is_set()
        release.set()
    assert log == []


def test_loop_that_has_ended(raised: list[int], log: list[str]) -> None:
    """
    What was left, or whose loop runs no more, is not waited for.
    """
    supervisor, later = Supervisor(), Supervisor()
    for each in supervisor, later:
        each.install_signal_handlers()
    with elsewhere(supervisor, log):
        pass
    loop = VirtualClock().new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(later.__aenter__()))
    thread.start()
    thread.join()
    for each in supervisor, later:
        each.install_signal_handlers()
    with pytest.raises(SystemExit):
        handle(FIRST)
    assert raised == [FIRST]
    multiplexer.restore()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
