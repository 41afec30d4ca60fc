"""
`explore`: what is left inside of the loop, when it is looked for, and what a hang tells.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from sessionstate import Supervisor
from sessionstate.testing import ExplorationError, ScenarioError, explore

# Each run has a virtual loop of its own: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time

Acts = Callable[[], object]

needs_pipes = pytest.mark.skipif(
    sys.platform == "win32", reason="a selector of Windows takes nothing but sockets"
)


def by_itself(scenario: Callable[..., Any], **options: Any) -> str:
    """
    Return why *scenario* is refused with nothing injected.
    """
    with pytest.raises(ScenarioError, match="goes wrong with nothing injected") as caught:
        explore(scenario, **options)
    return str(caught.value)


def ticks(seconds: float) -> None:
    """
    Keep a timer armed for ever.
    """
    asyncio.get_running_loop().call_later(seconds, ticks, seconds)


def leaves_a_task() -> None:
    """
    Leave a task that ends a second after an hour.
    """
    asyncio.create_task(asyncio.sleep(3601), name="stray")  # noqa: RUF006 - on purpose


def leaves_a_timer() -> None:
    """
    Leave a timer that rings before a second hour is over.
    """
    asyncio.get_running_loop().call_later(7000, print)


def leaves_a_late_task() -> None:
    """
    Leave a timer that makes a task shortly before the hour is over.
    """
    asyncio.get_running_loop().call_later(3500, leaves_a_task)


class TestAnHourLater:
    @pytest.mark.parametrize("host", [None, Supervisor])
    @pytest.mark.parametrize(
        ("leaves", "told"),
        [
            (leaves_a_task, "a task is left: stray, sleep"),
            (leaves_a_late_task, "a task is left: stray, sleep"),
            (leaves_a_timer, "timers are left: <TimerHandle when=7000.0 print("),
            (lambda: ticks(60), "timers are left: <TimerHandle when=3660.0 ticks("),
        ],
    )
    def test_not_two_hours_later(self, leaves: Acts, told: str, host: Acts | None) -> None:
        """
        What is there after `settle` seconds is left, though it would be gone after twice that.
        """

        async def scenario(*_: object) -> None:
            leaves()

        assert told in by_itself(scenario, setup=host)

    def test_gone_in_time(self) -> None:
        """
        What ends before `settle` seconds are over is none that is left.
        """

        async def scenario() -> None:
            leaves_a_task()

        assert explore(scenario, modes=["cancel"], settle=3602).runs

    def test_what_the_setup_keeps(self) -> None:
        """
        What the setup keeps until it is left is in order: its sessions, its tasks, its deadlines.
        """

        @asynccontextmanager
        async def setup() -> AsyncIterator[Supervisor]:
            asyncio.get_running_loop().call_later(5000, print)  # nothing of the scenario's
            beside = asyncio.create_task(asyncio.sleep(86_400))
            async with Supervisor(default=False) as supervisor:
                yield supervisor
            beside.cancel()

        async def scenario(supervisor: Supervisor) -> None:
            session = await supervisor.open("it", idle_timeout=86_400)
            session.start_soon(asyncio.Event().wait)

        assert explore(scenario, setup=setup, modes=["cancel"]).runs


class TestWatched:
    def test_listening_socket(self) -> None:
        """
        A server that is left is told as left, by what it calls, in no time; the check runs too.
        """
        checked: list[str] = []

        async def scenario() -> None:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                await asyncio.start_server(print, "127.0.0.1", 0)
                raise

        def check() -> None:
            checked.append("yes")

        with pytest.raises(ExplorationError) as caught:
            explore(scenario, check, only="cancel@2", repeatable=False)
        told = str(caught.value)
        assert "a file descriptor is left that the loop watches: " in told
        assert "BaseSelectorEventLoop._accept_connection" in told
        assert "hangs" not in told
        assert len(checked) == 2

    def test_reader_of_a_closed_socket(self) -> None:
        """
        A reader that is registered for what is closed already is told as left.
        """

        async def scenario() -> None:
            one, other = socket.socketpair()
            asyncio.get_running_loop().add_reader(one, print)
            one.close()
            other.close()

        told = by_itself(scenario, repeatable=False)
        assert "a file descriptor is left that the loop watches: " in told
        assert ", for print" in told

    @needs_pipes
    def test_pipe(self) -> None:
        """
        A pipe that is left, from which anything could come, is waited for a second, and told.
        """

        async def scenario() -> None:
            reads, writes = os.pipe()
            asyncio.get_running_loop().add_reader(reads, print)
            asyncio.get_running_loop().add_writer(writes, asyncio.Event().set)
            asyncio.get_running_loop().remove_writer(writes)
            kept.extend((reads, writes))

        kept: list[int] = []
        try:
            told = by_itself(scenario, repeatable=False, settle=7200)
        finally:
            for each in kept:
                os.close(each)
        assert "a file descriptor is left that the loop watches: " in told
        assert "hangs" not in told

    def test_server_of_the_setup(self) -> None:
        """
        A server of the setup may be there until that is left, and time goes by in its presence.
        """

        @asynccontextmanager
        async def setup() -> AsyncIterator[int]:
            server = await asyncio.start_server(_answer, "127.0.0.1", 0)
            async with server:
                yield server.sockets[0].getsockname()[1]

        async def scenario(port: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                assert await reader.read() == b"hello"
            finally:
                writer.close()

        assert explore(scenario, setup=setup, only="scope@1", repeatable=False).runs


async def _answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        writer.write(b"hello")
        await writer.drain()
        writer.close()


class TestHang:
    def test_thread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Where an hour cannot go by because of a thread that is left, that thread is told.
        """
        monkeypatch.setattr("sessionstate.testing._run.PATIENCE", 0.05)
        stop = threading.Event()

        async def scenario() -> None:
            threading.Thread(target=stop.wait, name="stray").start()

        try:
            told = by_itself(scenario, repeatable=False)
        finally:
            stop.set()
        assert "it hangs: deadlock: 0.05 s without a sign of threads ['stray']" in told

    def test_names_the_culprit(self) -> None:
        """
        A hang names who waits, by the line of their own code, and not what runs the scenario.
        """

        async def scenario() -> None:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                while True:  # noqa: ASYNC110 - spinning is the point
                    await asyncio.sleep(0)

        with pytest.raises(ExplorationError) as caught:
            explore(scenario, only="cancel@2", repeatable=False)
        told = str(caught.value)
        line = scenario.__code__.co_firstlineno + 5
        assert f"scenario, at {__file__}:{line}" in told
        assert "_be_host" not in told
        assert "_run.py" not in told

    def test_of_the_setup(self) -> None:
        """
        A setup that hangs as it is left is named, by its own line.
        """

        @asynccontextmanager
        async def setup() -> AsyncIterator[None]:
            yield
            while True:  # noqa: ASYNC110 - spinning is the point
                await asyncio.sleep(0)

        told = by_itself(asyncio.sleep, setup=lambda: setup_with(setup, 1))
        assert "setup, Run._be_host, at " in told
        assert f"{__file__}:{setup.__wrapped__.__code__.co_firstlineno + 4}" in told  # type: ignore[attr-defined]


@asynccontextmanager
async def setup_with(setup: Callable[[], Any], value: float) -> AsyncIterator[float]:
    """
    Enter *setup* and give another value.
    """
    async with setup():
        yield value
