"""
Who waits at the door of a supervisor, and what wakes them.
"""

from __future__ import annotations

import asyncio

from sessionstate import Supervisor, SupervisorClosed
from sessionstate.testing import VirtualClock
from tests.conftest import StartSupervisor
from tests.test_admission import slowly_closing, soon

MOST_AT_ONCE = 256


class TestWaitingForRoom:
    async def test_all_of_one_id_come_in_together(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Once one of those who wait for room opens their session, the others join it without room.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="wait", open_timeout=100)
        came: list[float] = []

        async def use() -> None:
            async with supervisor.attach("x"):
                came.append(clock.now)
                await asyncio.sleep(1)

        async with supervisor.session("a"):
            users = [soon(use()) for _ in range(3)]
            await clock.advance(5)
        await asyncio.gather(*users)
        assert came == [5, 5, 5]
        assert supervisor.statistics().refused == 0
        supervisor._check()

    async def test_who_joins_takes_no_other_place(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Those who join a session while they wait leave the next place to who waits for another id.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="wait", open_timeout=100)
        came: list[tuple[str, float]] = []

        async def use(id: str) -> None:
            async with supervisor.session(id):
                came.append((id, clock.now))
                await asyncio.sleep(1)

        async with supervisor.session("a"):
            users = [soon(use(id)) for id in "xxyx"]
            await clock.advance(5)
        await asyncio.gather(*users)
        assert came == [("x", 5), ("x", 5), ("x", 5), ("y", 6)]
        supervisor._check()

    async def test_giving_up_makes_no_room(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A cancellation in the very step of the `open_timeout` adds no place to `max_sessions`.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="wait", open_timeout=1)
        async with supervisor.session("a"):
            for _ in range(3):
                opening = soon(supervisor.open("b"))
                await asyncio.sleep(0)
                asyncio.get_running_loop().call_later(1, opening.cancel)
                await asyncio.wait([opening])
                assert opening.cancelled()
            late = soon(supervisor.open("c"))
            await clock.advance(0.5)
            assert list(supervisor) == ["a"]
        assert (await late).id == "c"
        supervisor._check()

    async def test_leaving_tells_who_waits_for_clean_ups(self, clock: VirtualClock) -> None:
        """
        Who waits because too many are closing hears at once that the supervisor was left.
        """
        told: list[float] = []
        async with Supervisor(max_sessions=10, max_closing=1) as supervisor:
            (await slowly_closing(supervisor, "a", 2)).close_soon()
            opening = soon(supervisor.open("b"))
            opening.add_done_callback(lambda _: told.append(clock.now))
            await clock.advance(1)
        assert isinstance(opening.exception(), SupervisorClosed)
        assert (told, clock.now) == ([1], 2)

    async def test_one_opening_looks_at_few(self, start_supervisor: StartSupervisor) -> None:
        """
        One opening moves the deadlines of a bounded number of touched sessions, not of all.
        """
        now = [0.0]
        supervisor = await start_supervisor(
            max_sessions=1000, idle_timeout=1000, clock=lambda: now[0]
        )
        sessions = [await supervisor.open(str(number)) for number in range(1000)]
        now[0] = 900
        for each in sessions:
            each.touch()
        now[0] = 1050
        before = [each._chunk for each in sessions]
        await supervisor.open("new")
        moved = sum(each._chunk is not chunk for each, chunk in zip(sessions, before, strict=True))
        assert 0 < moved <= MOST_AT_ONCE + 1  # and the one that made room
        assert len(supervisor) == 1000
        supervisor._check()
