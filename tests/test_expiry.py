"""
The supervisor's task: never early, hardly late, and never polling.
"""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstate import CloseReason, Session, Supervisor
from sessionstate.testing import VirtualClock, VirtualLoop
from tests.test_lifecycle import inside

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import StartSupervisor


def late_by(timeout: float) -> float:
    """
    Return how late the end of *timeout* may be.
    """
    return max(timeout / 256, 0.005) + 0.001


class TestPrecision:
    @given(
        st.floats(min_value=0, max_value=1e6),
        st.floats(min_value=0.001, max_value=1e6),
        st.sampled_from(["idle", "expired", "stalled", "linger", "unused"]),
    )
    def test_never_early_and_hardly_late(self, begin: float, timeout: float, kind: str) -> None:
        """
        Each limit ends a session never early, late by at most 1/256 of it or 5 ms.
        """

        async def main() -> float:
            await clock.advance(begin)
            begun = clock.now
            async with Supervisor(
                idle_timeout=2e6, unused_timeout=timeout if kind == "unused" else None
            ) as it:
                if kind == "idle":
                    session = await it.open("a", idle_timeout=timeout)
                elif kind == "expired":
                    session = await it.open("a", max_age=timeout)
                elif kind == "linger":
                    async with it.session("a", linger=timeout) as session:
                        pass
                elif kind == "unused":
                    session = await it.open("a")
                else:
                    with pytest.raises(Exception, match="stalled"):
                        async with it.session("a", stall_timeout=timeout) as session:
                            await asyncio.sleep(1e9)
                    return clock.now - begun
                await session.wait_closed()
                return clock.now - begun

        clock = VirtualClock()
        took = clock.run(main())
        assert timeout - 1e-9 * max(1, begin) <= took <= timeout + late_by(timeout)

    async def test_a_deadline_that_moves_earlier_wakes_the_sleeper(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A nearer deadline, of another session or of the same, is met in time.
        """
        supervisor = await start_supervisor(idle_timeout=1000)
        one, two = await supervisor.open("one"), await supervisor.open("two")
        await clock.advance(1)
        three = await supervisor.open("three", idle_timeout=5)
        await supervisor.open("two", idle_timeout=10)
        await three.wait_closed()
        assert 6 <= clock.now <= 6 + late_by(5)
        await two.wait_closed()
        assert 11 <= clock.now <= 11 + late_by(10)
        assert one.close_reason is None

    async def test_a_deadline_of_many_days_is_met(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Deadlines farther than a loop's timers reach are met all the same.
        """
        days = 30 * 86_400.0
        supervisor = await start_supervisor(idle_timeout=days)
        session = await supervisor.open("a")
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        assert max(timer.when() for timer in loop._scheduled) <= 86_400
        await session.wait_closed()
        assert days <= clock.now <= days * (1 + 1 / 256)


class TestSleep:
    async def test_arms_nothing_when_there_is_nothing(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        Without a deadline there is no timer: it never polls.
        """
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        await clock.settle()
        assert loop.timers == 0
        await supervisor.open("a", idle_timeout=None)
        async with supervisor.session("b"):
            await clock.settle()
            assert loop.timers == 0

    async def test_does_not_wake_before_it_must(
        self, supervisor: Supervisor, clock: VirtualClock, steps: Callable[[], int]
    ) -> None:
        """
        A thousand touches of many sessions cost no step of the loop.
        """
        sessions = [await supervisor.open(str(number), idle_timeout=100) for number in range(100)]
        await clock.advance(1)
        before = steps()
        for _ in range(10):
            for session in sessions:
                session.touch()
            await clock.advance(0.5)
        assert steps() - before < 100

    async def test_keeps_no_context_alive(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        Timers and the task begin from a clean context, which pins nobody's variables.
        """
        import contextvars

        seen: list[object] = []
        mine: contextvars.ContextVar[str] = contextvars.ContextVar("mine")
        mine.set("a request's")
        session = await supervisor.open("a", idle_timeout=5)
        session.callback(lambda: seen.append(mine.get(None)))
        await session.wait_closed()
        assert seen == [None]

    async def test_does_not_spin_when_timers_fire_early(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A timer that fires early, as uvloop's do, is set again once, and nothing ends early.
        """
        readings: list[float] = []

        def behind() -> float:
            readings.append(clock.now - 0.0009)
            return readings[-1]

        supervisor = await start_supervisor(idle_timeout=10, clock=behind)
        session = await supervisor.open("a")
        due = session.deadline
        assert due is not None
        before = len(readings)
        await session.wait_closed()
        assert readings[-1] >= due
        assert len(readings) - before < 30

    async def test_takes_a_clock_function(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        All times are those of the given clock, which need not go with the loop's.
        """
        supervisor = await start_supervisor(idle_timeout=10, clock=lambda: 1000 + clock.now / 2)
        session = await supervisor.open("a")
        assert (session.opened_at, session.last_used, session.deadline) == (1000, 1000, 1010)
        await session.wait_closed()
        assert 20 <= clock.now <= 2 * (10 + late_by(10))

    async def test_runs_in_real_time(self, request: pytest.FixtureRequest) -> None:
        """
        On a loop with the real clock, times are those of `time.monotonic`.
        """
        loop = asyncio.SelectorEventLoop()

        async def main() -> tuple[float, float, float]:
            async with Supervisor(idle_timeout=0.01) as supervisor:
                before = time.monotonic()
                session = await supervisor.open("a")
                await session.wait_closed()
                return before, session.opened_at, time.monotonic()

        try:
            before, opened, after = await asyncio.to_thread(loop.run_until_complete, main())
        finally:
            loop.close()
        assert before <= opened <= after - 0.01


class TestSlices:
    async def test_leave_turns_to_others(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        When much is due at once, the work is cut by time, and others run between.
        """
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        for number in range(400):
            session = await supervisor.open(str(number), idle_timeout=10)
            # Each end costs 0.1 ms of the virtual time.
            session.callback(lambda: loop._move(loop.time() + 0.0001))
        turns: list[float] = []
        await clock.advance(9.9)
        while len(supervisor):
            if len(supervisor) < 400:
                turns.append(loop.time())
            await asyncio.sleep(0 if len(supervisor) < 400 else 0.01)
        longest = max(after - before for before, after in pairwise(turns))
        assert longest < 0.002
        assert len(turns) > 20

    async def test_count_re_arms(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        Sessions that were touched are queued again, each once, and end by their new deadline.
        """
        sessions = [await supervisor.open(str(number), idle_timeout=10) for number in range(50)]
        await clock.advance(9)
        for session in sessions[:25]:
            session.touch()
        await clock.advance(2)
        assert len(supervisor) == 25
        assert supervisor.statistics().queued == 25
        supervisor._check()
        await clock.advance(9)
        assert supervisor.statistics().closed_by_reason[CloseReason.IDLE] == 50

    async def test_wait_while_too_many_are_closing(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Expiry runs no more clean-ups at once than `max_closing`, within a slice.
        """
        supervisor = await start_supervisor(idle_timeout=10, max_closing=10, max_sessions=None)
        most = 0

        async def slowly() -> None:
            nonlocal most
            most = max(most, supervisor.statistics().closing)
            await asyncio.sleep(1)

        for number in range(100):
            (await supervisor.open(str(number))).push_async_callback(slowly)
        await clock.advance(60)
        assert len(supervisor) == 0
        assert most < 20

    async def test_meet_what_falls_due_meanwhile(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A deadline that comes while the work is going on is met in the same go.
        """
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        first = await supervisor.open("a", idle_timeout=1)

        def nested() -> None:
            soon = asyncio.get_running_loop().create_task(supervisor.open("b", idle_timeout=0.001))
            soon.add_done_callback(lambda task: ended.append(task.result()))
            loop._move(loop.time() + 0.01)

        ended: list[Session] = []
        first.callback(nested)
        await first.wait_closed()
        await clock.advance(0.1)
        assert ended[0].close_reason is CloseReason.IDLE

    async def test_meet_what_is_held_too(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A held session whose deadline comes while idle ones are ended is ended without more sleep.
        """
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        body = asyncio.create_task(inside(supervisor.session("h", max_age=2), asyncio.Event()))
        idle = await supervisor.open("a", idle_timeout=1)
        idle.callback(lambda: loop._move(3))
        assert await body == "closed: expired"
        assert clock.now == 3
