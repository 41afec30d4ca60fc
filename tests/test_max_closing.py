"""
Openings wait while too many clean-ups run.
"""

from __future__ import annotations

import asyncio

import pytest

from sessionstate import SupervisorFull
from sessionstate.testing import VirtualClock
from tests.conftest import StartSupervisor
from tests.test_admission import slowly_closing, soon


class TestMaxClosing:
    async def test_a_cancelled_one_is_in_nobodys_way(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Who is cancelled in the step in which the clean-ups are done leaves the others alone.
        """
        supervisor = await start_supervisor(max_closing=1)
        going = asyncio.Event()
        closing = await supervisor.open("a")
        closing.push_async_callback(going.wait)
        closing.close_soon()
        one, two = soon(supervisor.open("b")), soon(supervisor.open("c"))
        await clock.settle()
        supervisor.on_open(lambda session: None)
        closing.callback(one.cancel)
        going.set()
        assert (await two).id == "c"
        assert one.cancelled()
        assert list(supervisor) == ["c"]

    @pytest.mark.parametrize("when_full", ["evict", "wait", "refuse"])
    async def test_delays_openings(
        self, start_supervisor: StartSupervisor, clock: VirtualClock, when_full: str
    ) -> None:
        """
        While too many clean-ups run, openings wait, under each policy; joining does not.
        """
        supervisor = await start_supervisor(max_closing=2, when_full=when_full, max_sessions=9)
        for id in "ab":
            (await slowly_closing(supervisor, id, 3)).close_soon()
        waiting = soon(supervisor.open("d"))
        await clock.advance(2.9)
        assert not waiting.done()
        await waiting
        assert clock.now == 3

    async def test_evicts_when_they_are_done(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        An opening that waited for clean-ups of a full supervisor then evicts as any other does.
        """
        supervisor = await start_supervisor(max_closing=1, max_sessions=2)
        for id in "abc":
            await slowly_closing(supervisor, id)
        async with asyncio.timeout(10):
            await supervisor.open("d")
        assert set(supervisor) == {"c", "d"}

    async def test_refuses_when_they_are_done(self, start_supervisor: StartSupervisor) -> None:
        """
        Of two that waited for clean-ups with room for one, the second is refused, and not kept.
        """
        supervisor = await start_supervisor(max_closing=1, max_sessions=1, when_full="refuse")
        (await slowly_closing(supervisor, "a")).close_soon()
        one, two = soon(supervisor.open("b")), soon(supervisor.open("c"))
        await one
        with pytest.raises(SupervisorFull):
            await asyncio.wait_for(two, 10)
