"""
The leak report of supervisors that run: what real sessions make of it.
"""

from __future__ import annotations

import asyncio
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import Growth, ProductionReport, SessionMap, Supervisor
from sessionstate._production import FEWEST
from tests.test_production import only
from tests.test_survey import still

if TYPE_CHECKING:
    from tests.conftest import StartSupervisor

__all__ = ["still"]  # a fixture

pytestmark = pytest.mark.virtual_time

agents = SessionMap[int]("agents")


class TestRunning:
    async def test_nothing_yet(self, supervisor: Supervisor) -> None:
        """
        The first call has little to tell, and sees to it that later ones have.
        """
        await supervisor.open("a")
        report = supervisor.leak_report()
        assert (report.verdict, report.rows, report.samples) == (Growth.WARMING_UP, (), 0)
        assert (report.live, report.requests, report.seconds) == (1, 0, 0)
        assert report.counted == "sessions"
        await asyncio.sleep(15)
        report = supervisor.leak_report()
        assert report.samples == 2
        assert {row.verdict for row in report.rows} == {Growth.BOUNDED, None}
        await asyncio.sleep(10)
        assert supervisor.leak_report().samples == 3

    async def test_others_want_surveys(self, supervisor: Supervisor) -> None:
        """
        Where somebody asks for surveys already, a report asks for no others.
        """
        surveying = supervisor.keep_surveying(100)
        supervisor.leak_report()
        await asyncio.sleep(50)
        assert supervisor.leak_report().samples == 1
        surveying.cancel()
        assert supervisor._surveyor._timer is None

    async def test_after_the_supervisor(self) -> None:
        """
        What was found may be asked for when the supervisor was left; nothing is surveyed any more.
        """
        async with Supervisor(default=False) as supervisor:
            supervisor.keep_surveying(10)
            await supervisor.open("a")
            await asyncio.sleep(25)
        report = supervisor.leak_report()
        assert (report.samples, report.reasons["shutdown"]) == (3, 1)
        assert supervisor._surveyor._timer is None

    async def test_reasons(self, supervisor: Supervisor) -> None:
        """
        It is told why sessions ended, and how many of them nobody said goodbye to.
        """
        for id in "abcd":
            await supervisor.open(id, idle_timeout=10)
        await supervisor.close("a")
        await asyncio.sleep(20)
        report = supervisor.leak_report()
        assert report.automatic == 0.75
        assert (report.reasons["idle"], report.reasons["deleted"]) == (3, 1)

    async def test_real_sessions(
        self, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Blocks that are never left leak, by map and by line; sessions beside them are bounded.
        """
        seconds = count(step=10)
        monkeypatch.setattr("sessionstate._history.time", lambda: float(next(seconds)))
        supervisor.keep_surveying(10)
        await asyncio.sleep(1)
        held: list[Any] = []
        for number in range(FEWEST):
            await asyncio.sleep(5)
            for each in range(3):
                supervisor.count_request()
                await supervisor.open(f"{number}.{each}", idle_timeout=20)
            held.append(supervisor.session(f"held {number}"))
            agents[await held[-1].__aenter__()] = 1
            await asyncio.sleep(5)
        report = supervisor.leak_report()
        assert report.verdict is Growth.LEAK
        leaks = {row.kind: row for row in report.leaks}
        assert set(leaks) == {"map", "site"}
        assert leaks["map"].name == "agents"
        assert "test_production_running.py:" in leaks["site"].name
        for row in leaks.values():
            assert (row.count, row.slope) == (FEWEST, pytest.approx(1000 / 3))
        bounded = [row for row in report.rows if row.verdict is Growth.BOUNDED]
        assert [row.kind for row in bounded] == ["site"]
        for block in held:
            await block.__aexit__(None, None, None)

    async def test_real_orphans(self, supervisor: Supervisor) -> None:
        """
        A block whose task is done without having left it is a leak in three surveys.
        """
        block = supervisor.session("lost", max_age=1000)
        await asyncio.create_task(block.__aenter__())
        supervisor.keep_surveying(10)
        await asyncio.sleep(15)
        assert supervisor.leak_report().verdict is Growth.INCONCLUSIVE
        await asyncio.sleep(10)
        report = supervisor.leak_report()
        assert (report.verdict, report.orphans) == (Growth.LEAK, 1)
        assert only(report).since == supervisor._surveyor.history.moments[0].at
        await block.__aexit__(None, None, None)
        await asyncio.sleep(10)
        assert supervisor.leak_report().leaks == ()

    async def test_clean_ups_that_do_not_end(self, start_supervisor: StartSupervisor) -> None:
        """
        Sessions that never come to the end of their clean-up are a leak of the line that opened.
        """
        supervisor = await start_supervisor(close_timeout=None)
        hold = asyncio.Event()
        s = await supervisor.open("a")
        s.push_async_callback(hold.wait)
        s.close_soon()
        await asyncio.sleep(400)
        supervisor.keep_surveying(10)
        await asyncio.sleep(35)
        report = supervisor.leak_report()
        assert (report.verdict, report.live, report.orphans) == (Growth.LEAK, 0, 1)
        assert only(report).kind == "site"
        hold.set()
        await s.wait_closed()

    async def test_from_another_thread(self, supervisor: Supervisor) -> None:
        """
        Asked from another thread, it tells what is known, and begins nothing in the loop.
        """
        reports: list[ProductionReport] = []
        asker = threading.Thread(target=lambda: reports.append(supervisor.leak_report()))
        asker.start()
        asker.join()
        assert [report.samples for report in reports] == [0]
        await asyncio.sleep(60)
        assert supervisor.survey is None


class TestCounting:
    async def test_never_back(self, supervisor: Supervisor) -> None:
        """
        A count of requests that would go back is refused, and stays.
        """
        supervisor.count_request(3)
        with pytest.raises(ValueError, match="a count of requests never goes back: -1 is negative"):
            supervisor.count_request(-1)
        supervisor.count_request()
        assert supervisor.requests == 4
