"""
The life of a probe: when it begins to look, when it tells, and when it lets go.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from sessionstate import Supervisor
from sessionstate.dashboard._curves import MOST
from sessionstate.dashboard._probe import BEAT, EVERY, Probe
from sessionstate.dashboard._source import Query
from tests.dashboard.shapes import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionstate.testing import VirtualClock

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def probe(supervisor: Supervisor) -> Iterator[Probe]:
    """
    Give a probe that was not started yet.
    """
    probe = Probe(supervisor)
    yield probe
    probe.stop()


class TestBefore:
    async def test_nothing_runs_yet(self) -> None:
        """
        Before the supervisor runs, everything is answered, and nothing begun.
        """
        probe = Probe(Supervisor())
        probe.start()
        for _ in range(2):
            overview = await probe.overview()
            check(overview, "Overview")
            assert (overview["running"], overview["number"]) == (False, 0)
            assert (overview["uptime"], overview["deadlines"]) == (0.0, [])
        assert check(await probe.sessions(Query()), "Page")
        assert await probe.session(1) is None
        assert not await probe.close(1, "somebody")
        assert (await probe.report()).samples == 0
        assert probe._timer is None
        probe.stop()
        probe.stop()

    async def test_nothing_to_wait_for(self) -> None:
        """
        Before the supervisor runs, nobody waits for an update that does not come.
        """
        overview = await Probe(Supervisor()).overview(after=0)
        assert "history" not in overview

    async def test_begins_when_asked(self) -> None:
        """
        A probe made before its supervisor runs begins with the first question after that.
        """
        supervisor = Supervisor()
        probe = Probe(supervisor)
        assert not (await probe.overview())["running"]
        async with supervisor:
            overview = await probe.overview()
            assert (overview["running"], overview["number"]) == (True, 1)
            assert (await probe.overview(after=1))["number"] == 2
            probe.stop()


class TestStart:
    async def test_twice(self, probe: Probe) -> None:
        """
        To start again is harmless: updates come once a second all the same.
        """
        told: list[int] = []
        probe.published = lambda: told.append(probe._number)
        for _ in range(3):
            probe.start()
        await asyncio.sleep(5.5)
        assert told == [1, 2, 3, 4, 5, 6]

    async def test_stop_twice(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        To stop again is harmless; nothing is looked at afterwards, by whomever.
        """
        probe.start()
        await asyncio.sleep(2.5)
        probe.stop()
        probe.stop()
        latest = probe.latest
        await asyncio.sleep(5)
        assert probe.latest is latest
        assert supervisor._surveyor._timer is None

    async def test_goes_on(self, probe: Probe) -> None:
        """
        After a stop it may be started again: the next update comes soon, with a larger number.
        """
        probe.start()
        await asyncio.sleep(30.5)
        probe.stop()
        before = probe._number
        await asyncio.sleep(30)
        async with asyncio.timeout(EVERY + BEAT):
            overview = await probe.overview(after=before)
        assert overview["number"] > before
        assert 60 <= overview["uptime"] < 62
        assert overview["tiles"]["loop_delay"] < BEAT


class TestUpdates:
    async def test_once_a_second(self, probe: Probe, clock: VirtualClock) -> None:
        """
        Updates are numbered, and come once a second.
        """
        number = (await probe.overview())["number"]
        assert number == 1
        begun = clock.now
        for _ in range(60):
            overview = await probe.overview(after=number)
            assert overview["number"] == number + 1
            assert 0 <= clock.now - begun - number * EVERY < BEAT + 1e-6
            assert overview["uptime"] == pytest.approx(clock.now - begun)
            number += 1

    async def test_after(self, probe: Probe, clock: VirtualClock) -> None:
        """
        Who names an older update than the newest gets that at once, and without the history.
        """
        probe.start()
        await asyncio.sleep(3.5)
        now = clock.now
        overview = await probe.overview(after=2)
        assert (overview["number"], clock.now) == (4, now)
        assert "history" not in overview
        times = [each["at"] for each in (await probe.overview()).get("history", [])]
        assert times == sorted(times)
        assert len(times) == 4

    async def test_many_wait(self, probe: Probe) -> None:
        """
        All who wait get the update; who gives up takes it from nobody.
        """
        number = (await probe.overview())["number"]
        waiting = [asyncio.create_task(probe.overview(number)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert [each["number"] for each in answers[1:]] == [number + 1] * 2  # type: ignore[index]

    async def test_stop_frees_who_waits(self, probe: Probe) -> None:
        """
        Who waits when it is stopped gets the last update there was.
        """
        number = (await probe.overview())["number"]
        waiting = asyncio.create_task(probe.overview(number))
        await asyncio.sleep(0)
        probe.stop()
        assert (await waiting)["number"] == number

    async def test_sign_of_life(self, probe: Probe) -> None:
        """
        The loop gives a sign of life ten times a second, in real seconds.
        """
        begun = monotonic()
        probe.start()
        assert begun <= probe.beat <= monotonic()
        before = probe.beat
        await asyncio.sleep(BEAT * 1.5)
        assert before < probe.beat <= monotonic()
        assert probe._number == 1

    async def test_late_loop(self, probe: Probe, clock: VirtualClock) -> None:
        """
        A loop that was late says by how much, once; the numbers of updates go on growing.
        """
        number = (await probe.overview())["number"]
        clock.jump(3.05)
        late = await probe.overview(after=number)
        assert late["tiles"]["loop_delay"] == pytest.approx(3.05 - BEAT)
        after = await probe.overview(after=late["number"])
        assert after["tiles"]["loop_delay"] < BEAT
        assert after["number"] > late["number"] > number

    async def test_worst_delay(self, probe: Probe, clock: VirtualClock) -> None:
        """
        The delay that is told is the worst since the last update, not the last.
        """
        number = (await probe.overview())["number"]
        await asyncio.sleep(0.25)
        clock.jump(0.4)
        overview = await probe.overview(after=number)
        assert overview["tiles"]["loop_delay"] == pytest.approx(0.35)

    async def test_bounded(self, probe: Probe) -> None:
        """
        However long it runs, the history stays small, and spans all of it.
        """
        first = (await probe.overview())["sample"]
        for _ in range(MOST + 50):
            probe._update()
        history = (await probe.overview()).get("history", [])
        assert MOST / 2 < len(history) < MOST
        assert history[0] == first


class TestLeft:
    async def test_says_so(self) -> None:
        """
        When the supervisor is left, one last update says so, and nothing goes on.
        """
        async with Supervisor() as supervisor:
            probe = Probe(supervisor)
            number = (await probe.overview())["number"]
            waiting = asyncio.create_task(probe.overview(number))
            await asyncio.sleep(0.25)
            assert not waiting.done()
        last = await waiting
        check(last, "Overview")
        assert not last["running"]
        assert last["number"] > number
        assert probe._timer is None
        assert probe._surveying is None
        again = await probe.overview(after=last["number"])
        assert again["number"] == last["number"]
        check(await probe.overview(), "Overview")

    async def test_never_started(self) -> None:
        """
        A probe that was first asked when its supervisor was left tells what is known.
        """
        async with Supervisor() as supervisor:
            await supervisor.open("a")
        probe = Probe(supervisor)
        overview = await probe.overview()
        check(overview, "Overview")
        assert not overview["running"]
        assert overview["uptime"] == 0
        assert overview["reasons"]["shutdown"] == 1
        assert (await probe.sessions(Query()))["total"] == 0

    async def test_what_is_under_way(self) -> None:
        """
        A report under way is no task that is left, and who waits for it gets one.
        """
        async with Supervisor() as supervisor:
            probe = Probe(supervisor)
            probe.start()
            waiting = asyncio.create_task(probe.report())
            await asyncio.sleep(0)
            assert probe._reporting is not None
            probe.stop()
        assert (await waiting).supervisor == supervisor.name
        assert probe._reporting.cancelled()


class TestReport:
    async def test_shared(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        All who ask at once get one report; who gives up takes it from nobody.
        """
        supervisor.keep_surveying(1)
        await asyncio.sleep(2)
        waiting = [asyncio.create_task(probe.report()) for _ in range(3)]
        await asyncio.sleep(0)
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert names.count("sessionstate: leak report") == 1
        waiting[0].cancel()
        first, *others = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(first, asyncio.CancelledError)
        assert others[0] is others[1]
        assert others[0].samples >= 2  # type: ignore[union-attr]

    async def test_newer(self, probe: Probe) -> None:
        """
        A question after the answer gets a newer report.
        """
        assert await probe.report() is not await probe.report()


class TestPatience:
    async def test_nobody_asks(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        What nobody asks for any more is not looked at any more, until somebody does again.
        """
        probe = Probe(supervisor, patience=60)
        first = await probe.overview()
        await clock.advance(59)
        assert probe._timer is not None
        await probe.overview(after=first["number"])
        await clock.advance(59)
        assert probe._timer is not None
        await clock.advance(5)
        assert probe._timer is None
        assert not supervisor._surveyor._wanted
        assert (await probe.overview())["number"] > first["number"]
        assert probe._timer is not None
        probe.stop()
