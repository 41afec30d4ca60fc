"""
Surveys: what is counted over all sessions, for whom, and how often.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from sessionstate import (
    Counted,
    SessionMap,
    SessionVar,
    Supervisor,
    SupervisorClosed,
    Survey,
)
from sessionstate._survey import GRACE, REST, SILENT
from tests.bodies import LONG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sessionstate.testing import VirtualClock

pytestmark = pytest.mark.virtual_time

agents = SessionMap[int]("agents")
tools = SessionVar[int]("tools", default=0)


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Let no slice end because the machine is slow.
    """
    monkeypatch.setattr("sessionstate._survey.perf_counter", lambda: 0.0)


async def surveyed(supervisor: Supervisor) -> Survey:
    """
    Make a survey now.
    """
    surveying = supervisor.keep_surveying(REST)
    await asyncio.sleep(1.5 * REST)
    surveying.cancel()
    survey = supervisor.survey
    assert survey is not None
    return survey


def found(survey: Survey, kind: str) -> dict[str, tuple[int, int, int]]:
    """
    Return what a survey counted of one kind: entries, unbounded ones, orphans.
    """
    return {
        each.name.rpartition("/")[2]: (each.entries, each.unbounded, each.orphans)
        for each in survey.counted
        if each.kind == kind
    }


class Times:
    """
    When the surveys of a supervisor were made.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.at: list[float] = []

    async def watch(self, seconds: float) -> list[float]:
        """
        Return when surveys were made in the next so many seconds.
        """
        last = self.supervisor.survey
        for _ in range(round(seconds / REST)):
            await asyncio.sleep(REST)
            if self.supervisor.survey is not last:
                last = self.supervisor.survey
                assert last is not None
                self.at.append(round(last.at, 3))
        return self.at


class TestCounted:
    async def test_nothing(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A supervisor without sessions has a survey too, once it was made.
        """
        assert supervisor.survey is None
        survey = await surveyed(supervisor)
        assert survey == Survey(survey.at, 0.0, 0.0, 0, 0, ())
        assert survey.at == REST

    async def test_values(self, supervisor: Supervisor) -> None:
        """
        The values of maps and variables are counted by name, but not what has no name.
        """
        for id in "abc":
            s = await supervisor.open(id)
            agents[id] = 1
            s.vars["x"] = 1
            assert not s.lock.locked()
        tools.set(1, supervisor["c"])
        survey = await surveyed(supervisor)
        assert survey.sessions == 3
        assert found(survey, "slot") == {"agents": (3, 0, 0), "tools": (1, 0, 0)}

    async def test_maps_of_one_name(self, supervisor: Supervisor) -> None:
        """
        What has one name is counted together.
        """
        await supervisor.open("a")
        for _ in range(2):
            SessionMap[int]("twins")["a"] = 1
        assert found(await surveyed(supervisor), "slot") == {"twins": (2, 0, 0)}

    async def test_resources(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        Whatever sessions own is counted by its kind.
        """

        @contextmanager
        def entered() -> Iterator[None]:
            yield

        @asynccontextmanager
        async def hosted() -> AsyncIterator[None]:
            yield

        for id in "ab":
            s = await supervisor.open(id)
            s.callback(log.append, "x")
            s.callback(log.append, "x")
            s.enter_context(entered())
            await s.enter_async_context(hosted())
            s.start_soon(asyncio.sleep, LONG)
        supervisor["b"].push_async_callback(asyncio.sleep, 0)
        supervisor["b"].call_later(LONG, log.append, "x")
        assert found(await surveyed(supervisor), "resource") == {
            "callback": (4, 0, 0),
            "context": (4, 0, 0),
            "task": (2, 0, 0),
            "async callback": (1, 0, 0),
            "timer": (1, 0, 0),
        }

    async def test_sites(self, supervisor: Supervisor) -> None:
        """
        Sessions are counted by the line that opened them; the largest figures come first.
        """
        for id in "abc":
            await supervisor.open(id)
        await supervisor.open("d")
        agents["a"] = agents["b"] = 1
        survey = await surveyed(supervisor)
        line = self.test_sites.__func__.__code__.co_firstlineno  # type: ignore[attr-defined]
        assert [(each.name.rpartition("/")[2], each.entries) for each in survey.counted] == [
            (f"test_survey.py:{line + 5}", 3),
            ("agents", 2),
            (f"test_survey.py:{line + 6}", 1),
        ]
        assert survey.counted[1] == Counted("agents", "slot", 2, 0, 0)

    async def test_without_a_deadline(self, supervisor: Supervisor) -> None:
        """
        What belongs to sessions that no limit will end, and that are not in use, is told apart.
        """
        async with AsyncExitStack() as stack:
            blocks: list[Any] = [
                supervisor.session("held"),
                supervisor.session("stalls", stall_timeout=600),
                supervisor.session("ages", max_age=600),
                supervisor.attach("visited"),
            ]
            for block in blocks:
                agents[await stack.enter_async_context(block)] = 1
            agents[await supervisor.open("endless", idle_timeout=None)] = 1
            agents[await supervisor.open("old", idle_timeout=None, max_age=600)] = 1
            agents[await supervisor.open("idle")] = 1
            assert found(await surveyed(supervisor), "slot") == {"agents": (7, 0, 0)}
            await asyncio.sleep(SILENT)
            survey = await surveyed(supervisor)
        assert found(survey, "slot") == {"agents": (7, 3, 0)}
        assert survey.unbounded == 3

    async def test_closing_sessions(self, supervisor: Supervisor) -> None:
        """
        A session whose clean-up runs is counted no more.
        """
        for id in "ab":
            s = await supervisor.open(id)
            agents[id] = 1
            s.push_async_callback(asyncio.sleep, 1)
        supervisor.close_soon("b")
        survey = await surveyed(supervisor)
        assert (survey.sessions, survey.orphans) == (1, 0)
        assert found(survey, "slot") == {"agents": (1, 0, 0)}
        assert found(survey, "resource") == {"async callback": (1, 0, 0)}


class TestWanted:
    async def test_again_and_again(self, supervisor: Supervisor) -> None:
        """
        The first survey is made at once, the others in the interval that was asked for.
        """
        surveying = supervisor.keep_surveying(timedelta(seconds=1))
        assert surveying.every == 1
        assert await Times(supervisor).watch(3.5) == [0, 1, 2, 3]

    async def test_as_often_as_anybody_wants(self, supervisor: Supervisor) -> None:
        """
        Surveys are made as often as the one who wants most, and never later for others' sake.
        """
        times = Times(supervisor)
        supervisor.keep_surveying(4)
        await times.watch(1)
        often = supervisor.keep_surveying(2)
        supervisor.keep_surveying(100)
        await times.watch(3.5)
        assert times.at == [0, 2, 4]
        often.cancel()
        assert await times.watch(6) == [0, 2, 4, 6, 10]

    async def test_who_comes_late_need_not_wait(self, supervisor: Supervisor) -> None:
        """
        Who wants surveys when the last one is older than that gets one at once.
        """
        times = Times(supervisor)
        supervisor.keep_surveying(100)
        await times.watch(5)
        supervisor.keep_surveying(3)
        assert await times.watch(4) == pytest.approx([0, 5, 8], abs=2 * REST)

    async def test_never_without_a_rest(self, supervisor: Supervisor) -> None:
        """
        However often surveys are wanted, there is a rest between two of them.
        """
        supervisor.keep_surveying(1e-9)
        assert len(await Times(supervisor).watch(1)) <= 1 / REST

    async def test_last_handle(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        Surveys end with the last handle; the last one stays to be read.
        """
        one, other = supervisor.keep_surveying(1), supervisor.keep_surveying(1)
        await clock.advance(0.5)
        assert one.cancel()
        assert not one.cancel()
        assert await Times(supervisor).watch(2) == [1, 2]
        assert other.cancel()
        assert supervisor._surveyor._timer is None
        assert await Times(supervisor).watch(5) == []
        assert supervisor.survey is not None
        assert supervisor.survey.at == 2
        supervisor.keep_surveying(1)
        assert len(await Times(supervisor).watch(0.5)) == 1

    async def test_end_with_the_supervisor(self, clock: VirtualClock) -> None:
        """
        Leaving the supervisor ends its surveys, and nobody can want any more.
        """
        async with Supervisor(default=False) as supervisor:
            surveying = supervisor.keep_surveying(1)
            await clock.advance(1)
        assert supervisor._surveyor._timer is None
        assert not surveying.cancel()
        assert supervisor.survey is not None
        with pytest.raises(SupervisorClosed, match="was left"):
            supervisor.keep_surveying()

    async def test_before_the_supervisor(self) -> None:
        """
        Surveys are made of a supervisor that runs.
        """
        with pytest.raises(SupervisorClosed, match="is not running"):
            Supervisor(default=False).keep_surveying()

    @pytest.mark.parametrize(
        ("every", "error"), [(0, ValueError), (-1, ValueError), ("10", TypeError)]
    )
    async def test_refused(
        self, supervisor: Supervisor, every: object, error: type[Exception]
    ) -> None:
        """
        The interval is a time.
        """
        with pytest.raises(error, match="every must be"):
            supervisor.keep_surveying(cast("Any", every))
        assert supervisor._surveyor._timer is None

    async def test_from_another_loop(self, supervisor: Supervisor) -> None:
        """
        Surveys are asked for in the supervisor's loop, and may be read in any thread.
        """

        async def elsewhere() -> None:
            supervisor.keep_surveying()

        survey = await surveyed(supervisor)
        with pytest.raises(RuntimeError, match="runs in another event loop"):
            await asyncio.to_thread(asyncio.run, elsewhere())
        assert await asyncio.to_thread(lambda: supervisor.survey) is survey


class TestSurvival:
    async def test_an_error(self, clock: VirtualClock, caplog: pytest.LogCaptureFixture) -> None:
        """
        A survey that fails is logged, and the next one is made when it is due.
        """
        broken = False

        def time() -> float:
            if broken:
                raise OSError("no clock")
            return clock.now

        async with Supervisor(default=False, clock=time) as supervisor:
            await clock.settle()
            broken = True
            supervisor.keep_surveying(1)
            await clock.advance(0.5)
            assert supervisor.survey is None
            broken = False
            supervisor.keep_surveying(50)
            await clock.advance(0.25)
            assert supervisor.survey is not None
            assert supervisor.survey.at == 0.5
        (record,) = caplog.records
        assert record.message == "a survey of supervisor 'sessionstate' failed"

    async def test_a_loop_that_stood_still(
        self, start_supervisor: Any, clock: VirtualClock
    ) -> None:
        """
        After the loop stood still, what is late has its turn before anybody calls it an orphan.
        """
        supervisor = await start_supervisor(idle_timeout=10)
        await supervisor.open("a")
        supervisor.keep_surveying(1)
        await clock.advance(1)
        clock.jump(100)
        await clock.advance(GRACE - 0.5)
        assert supervisor.survey.at == 1
        await clock.advance(1)
        survey = supervisor.survey
        assert (survey.at, survey.sessions, survey.orphans) == (101 + GRACE, 0, 0)
