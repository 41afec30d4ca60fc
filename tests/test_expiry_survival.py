"""
The supervisor's task cannot be killed, by sweeps or by errors.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from sessionstate import CloseReason, Supervisor
from sessionstate.testing import VirtualClock
from tests.conftest import StartSupervisor
from tests.test_expiry import late_by


class Raising(logging.Handler):
    """
    A log handler that is broken, as long as it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left = 0
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """
        Keep the message, then fail.
        """
        self.messages.append(record.getMessage())
        if self.left > 0:
            self.left -= 1
            raise RuntimeError("the log is full")


@pytest.fixture
def log() -> Iterator[Raising]:
    """
    Give a handler on the logger of the package.
    """
    handler = Raising()
    logger = logging.getLogger("sessionstate")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


class TestSurvival:
    @pytest.mark.parametrize("times", [1, 5])
    async def test_a_sweep_over_all_tasks(
        self, supervisor: Supervisor, clock: VirtualClock, times: int
    ) -> None:
        """
        One cancellation of every task does not end expiry, nor do more; restarts are counted.
        """
        session = await supervisor.open("a", idle_timeout=10)
        host = [task for task in asyncio.all_tasks() if "host_supervisor" in repr(task)]
        for _ in range(times):
            for task in asyncio.all_tasks() - {asyncio.current_task(), *host}:
                if "expiry" in task.get_name():
                    task.cancel()
            await clock.settle()
        assert supervisor.statistics().restarts == times
        await session.wait_closed()
        assert 10 <= clock.now <= 10 + late_by(10)

    async def test_a_sweep_as_the_timer_fires(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A cancellation in the very step before the timer fires loses no deadline.
        """
        loop = asyncio.get_running_loop()
        session = await supervisor.open("a", idle_timeout=8)

        def sweep() -> None:
            for task in asyncio.all_tasks():
                if "expiry" in task.get_name():
                    task.cancel()

        loop.call_at(8 - 1e-10, sweep)
        await session.wait_closed()
        assert supervisor.statistics().restarts == 1
        assert clock.now <= 8 + late_by(8)

    async def test_an_error_in_one_expiry(
        self, supervisor: Supervisor, clock: VirtualClock, log: Raising
    ) -> None:
        """
        What cannot be looked at is counted and logged, the rest ends, and it is tried again.
        """
        broken = await supervisor.open("broken", idle_timeout=10)
        others = [await supervisor.open(str(number), idle_timeout=10) for number in range(20)]
        broken.last_used = "yesterday"  # type: ignore[assignment]
        await clock.advance(11)
        assert all(other.close_reason is CloseReason.IDLE for other in others)
        assert supervisor.statistics().expiry_errors >= 1
        assert "ending session" in log.messages[0]
        broken.last_used = 0.0
        await broken.wait_closed()
        assert broken.close_reason is CloseReason.IDLE

    async def test_an_error_in_reporting_one(
        self, supervisor: Supervisor, clock: VirtualClock, log: Raising
    ) -> None:
        """
        A session whose end went wrong in its last step, the log, is counted, and stays ended.
        """
        session = await supervisor.open("a", idle_timeout=10)
        session.callback(lambda: 1 / 0)
        log.left = 1
        await clock.advance(11)
        assert session.close_reason is CloseReason.IDLE
        assert supervisor.statistics().expiry_errors == 1
        supervisor._check()

    async def test_its_own_death(
        self, start_supervisor: StartSupervisor, clock: VirtualClock, log: Raising
    ) -> None:
        """
        A task that dies of an error, such as the clock's, is begun again, and says so.
        """
        fail = 0

        def broken() -> float:
            nonlocal fail
            if fail:
                fail -= 1
                raise OSError("no clock")
            return clock.now

        supervisor = await start_supervisor(idle_timeout=10, clock=broken)
        session = await supervisor.open("a")
        await clock.advance(9)
        fail = 1
        await clock.advance(3)
        assert session.close_reason is CloseReason.IDLE
        assert supervisor.statistics().restarts == 1
        assert log.messages == ["the expiry task died, and is begun again"]

    async def test_is_not_begun_again_after_the_end(
        self, clock: VirtualClock, log: Raising
    ) -> None:
        """
        A task that died just before the supervisor was left stays dead.
        """
        fail = False

        def broken() -> float:
            if fail:
                raise OSError("no clock")
            return clock.now

        before = asyncio.all_tasks()
        async with Supervisor(idle_timeout=10, clock=broken) as supervisor:
            await supervisor.open("a", idle_timeout=1)
            await clock.settle()
            fail = True
            await clock.advance(1.1)
            fail = False
        await clock.advance(10)
        assert asyncio.all_tasks() == before
        assert supervisor.statistics().restarts == 1

    async def test_leaving_ends_it(self, clock: VirtualClock) -> None:
        """
        With the supervisor its task and timer go.
        """
        loop: Any = asyncio.get_running_loop()
        tasks, timers = asyncio.all_tasks(), loop.timers
        async with Supervisor() as supervisor:
            await supervisor.open("a")
            await clock.settle()
        await clock.settle()
        assert asyncio.all_tasks() == tasks
        assert loop.timers == timers
