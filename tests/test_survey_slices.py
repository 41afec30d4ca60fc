"""
Surveys of many sessions: in slices, while sessions come and go, and nothing is kept.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from sessionstate import SessionMap, Supervisor
from sessionstate._survey import BATCH, GRACE, REST, SLICE
from tests.test_survey import found

if TYPE_CHECKING:
    from sessionstate import Survey
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time

agents = SessionMap[object]("agents")


class Agent:
    """
    A value that can be watched.
    """


class WorkClock:
    """
    What measures the slices: each look at it takes as long as it is told.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.each = SLICE

    def __call__(self) -> float:
        """
        Return the time in seconds.
        """
        self.now += self.each
        return self.now


@pytest.fixture(autouse=True)
def work_clock(monkeypatch: pytest.MonkeyPatch) -> WorkClock:
    """
    Let each slice end after one batch.
    """
    clock = WorkClock()
    monkeypatch.setattr("sessionstate._survey.perf_counter", clock)
    return clock


async def opened(supervisor: Supervisor, number: int) -> None:
    """
    Open so many sessions, each with a value.
    """
    for each in range(number):
        await supervisor.open(f"{each}")
        agents[f"{each}"] = each


async def finished(supervisor: Supervisor) -> Survey:
    """
    Return the next survey, when it is done.
    """
    last = supervisor.survey
    while supervisor.survey is last:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(REST / 4)
    assert supervisor.survey is not None
    return supervisor.survey


class TestSlices:
    async def test_others_get_their_turn(self, supervisor: Supervisor) -> None:
        """
        After each slice of work the survey rests, and the sum of all slices is right.
        """
        await opened(supervisor, 4 * BATCH + 1)
        supervisor.keep_surveying(1)
        survey = await finished(supervisor)
        assert survey.sessions == 4 * BATCH + 1
        assert found(survey, "slot") == {"agents": (4 * BATCH + 1, 0, 0)}
        assert survey.took == pytest.approx(4 * REST)
        assert survey.worked == pytest.approx(10 * SLICE)

    async def test_slice_goes_on_while_its_time_lasts(
        self, supervisor: Supervisor, work_clock: WorkClock
    ) -> None:
        """
        A slice takes one batch after the other until its time is over.
        """
        await opened(supervisor, 4 * BATCH + 1)
        work_clock.each = 0.4 * SLICE
        supervisor.keep_surveying(1)
        survey = await finished(supervisor)
        assert survey.took == pytest.approx(REST)
        assert found(survey, "slot") == {"agents": (4 * BATCH + 1, 0, 0)}

    async def test_slow_machine(self, supervisor: Supervisor, work_clock: WorkClock) -> None:
        """
        Each slice gets something done, though its time be over before that.
        """
        await opened(supervisor, 2 * BATCH)
        work_clock.each = 100 * SLICE
        supervisor.keep_surveying(1)
        assert (await finished(supervisor)).took == pytest.approx(REST)

    async def test_interval_is_from_beginning_to_beginning(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A survey that takes long does not put off the next one, but there is a rest between them.
        """
        await opened(supervisor, 4 * BATCH)
        surveying = supervisor.keep_surveying(10 * REST)
        assert [(await finished(supervisor)).at for _ in range(2)] == pytest.approx(
            [3 * REST, 13 * REST]
        )
        surveying.cancel()
        supervisor.keep_surveying(2 * REST)
        first = (await finished(supervisor)).at
        assert (await finished(supervisor)).at - first == pytest.approx(4 * REST)

    async def test_wanted_while_one_is_made(self, supervisor: Supervisor) -> None:
        """
        Who wants surveys while one is made gets that one.
        """
        await opened(supervisor, 4 * BATCH)
        supervisor.keep_surveying(100)
        await asyncio.sleep(REST / 2)
        other = supervisor.keep_surveying(100)
        survey = await finished(supervisor)
        assert survey.took == survey.at == pytest.approx(3 * REST)
        assert other.cancel()

    async def test_cancelled_in_the_middle(self, supervisor: Supervisor) -> None:
        """
        A survey that nobody wants any more is given up, and the next one begins anew.
        """
        await opened(supervisor, 4 * BATCH)
        surveying = supervisor.keep_surveying(1)
        await asyncio.sleep(1.5 * REST)
        surveying.cancel()
        await asyncio.sleep(1)
        assert supervisor.survey is None
        supervisor.keep_surveying(1)
        survey = await finished(supervisor)
        assert survey.took == pytest.approx(3 * REST)
        assert found(survey, "slot") == {"agents": (4 * BATCH, 0, 0)}

    async def test_left_in_the_middle(self) -> None:
        """
        The end of the supervisor is that of a survey that is being made.
        """
        async with Supervisor(default=False) as supervisor:
            for number in range(2 * BATCH):
                await supervisor.open(f"{number}")
            supervisor.keep_surveying(1)
            await asyncio.sleep(REST / 2)
        await asyncio.sleep(1)
        assert supervisor.survey is None


class TestMeanwhile:
    async def test_sessions_come_and_go(self, start_supervisor: StartSupervisor) -> None:
        """
        Sessions that ended while a survey was made are neither counted nor called orphans.
        """
        supervisor = await start_supervisor(close_timeout=REST / 10)
        await opened(supervisor, 4 * BATCH)
        supervisor.keep_surveying(100)
        await asyncio.sleep(REST / 2)  # the youngest were counted
        for number in range(BATCH + 7):
            await supervisor.close(f"{number}")
        await supervisor.open("new")
        survey = await finished(supervisor)
        assert survey.sessions == 4 * BATCH
        assert survey.orphans == 0
        assert found(survey, "slot") == {"agents": (3 * BATCH - 7, 0, 0)}
        assert [each.unbounded for each in survey.counted] == [0, 0]

    async def test_loop_that_stands_still_in_the_middle(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        When the loop stands still between two slices, what is late has its turn before the next.
        """
        supervisor = await start_supervisor(idle_timeout=60)
        await opened(supervisor, 2 * BATCH)
        supervisor.keep_surveying(1000)
        await asyncio.sleep(REST / 2)
        clock.jump(100)
        survey = await finished(supervisor)
        assert survey.took == pytest.approx(100 + GRACE, abs=1)
        assert (survey.sessions, survey.orphans, len(supervisor)) == (2 * BATCH, 0, 0)
        assert found(survey, "slot") == {"agents": (BATCH, 0, 0)}

    async def test_holds_nothing(self, supervisor: Supervisor) -> None:
        """
        Neither a survey that was made nor one that was given up keeps a session or its values.
        """
        gc.collect()
        gc.disable()
        try:
            for middle in (False, True):
                await opened(supervisor, 2 * BATCH)
                agents["0"] = agent = Agent()
                kept = [weakref.ref(agent), weakref.ref(supervisor["0"])]
                del agent
                surveying = supervisor.keep_surveying(100)
                await asyncio.sleep(REST / 2 if middle else 2 * REST)
                assert (supervisor._surveyor._underway is None) is not middle
                surveying.cancel()
                for number in range(2 * BATCH):
                    await supervisor.close(f"{number}")
                assert [ref() for ref in kept] == [None, None]
                await asyncio.sleep(100)
        finally:
            gc.enable()

    async def test_sessions_that_were_counted_go_at_once(self, supervisor: Supervisor) -> None:
        """
        What was counted is let go of between two slices, though the survey is not done.
        """
        await opened(supervisor, 3 * BATCH)
        kept = [weakref.ref(supervisor[f"{number}"]) for number in range(2 * BATCH, 3 * BATCH)]
        supervisor.keep_surveying(100)
        await asyncio.sleep(REST / 2)
        for number in range(2 * BATCH, 3 * BATCH):
            await supervisor.close(f"{number}")
        assert not any(ref() for ref in kept)
        await finished(supervisor)

    async def test_values_go_at_once(self, supervisor: Supervisor) -> None:
        """
        What a session kept goes with its end, though a survey is still to look at it.
        """
        await opened(supervisor, 2 * BATCH)
        agents["0"] = agent = Agent()
        kept = weakref.ref(agent)
        del agent
        supervisor.keep_surveying(100)
        await asyncio.sleep(REST / 2)
        await supervisor.close("0")
        assert kept() is None
        await finished(supervisor)
