"""
What an update tells: of each kind of session, of deadlines, of what is kept, of what may leak.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import CloseReason, SessionMap, SessionVar
from sessionstate.dashboard._probe import COUNTED, DEADLINES, SUSPECTS, Probe
from tests.bodies import fail
from tests.dashboard.shapes import check
from tests.traces import nothing, stop_expiry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sessionstate import Supervisor
    from sessionstate.dashboard._source import Overview
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time

agents = SessionMap[object]("agents")
drafts = SessionVar[object]("drafts", factory=dict)


@pytest.fixture
async def probe(supervisor: Supervisor) -> AsyncIterator[Probe]:
    """
    Give a probe that has made its first update.
    """
    probe = Probe(supervisor)
    probe.start()
    yield probe
    probe.stop()


async def newest(probe: Probe, updates: int = 1) -> Overview:
    """
    Wait for so many updates, and return the last with its history.
    """
    for _ in range(updates):
        await probe.overview(after=probe._number)
    overview = await probe.overview()
    check(overview, "Overview")
    return overview


class TestTiles:
    async def test_nobody(self, supervisor: Supervisor) -> None:
        """
        Without a session every figure is there, and what was not seen long enough is None.
        """
        probe = Probe(supervisor, allow_close=True)
        overview = await probe.overview()
        check(overview, "Overview")
        assert overview["tiles"].items() >= {
            "live": 0, "opened_per_minute": None, "closed_per_minute": None,
            "requests_per_minute": None, "automatic_share": None, "orphans": None,
        }.items()  # fmt: skip
        assert overview["reasons"] == dict.fromkeys(CloseReason, 0)
        assert (overview["supervisor"], overview["allow_close"]) == ("sessionstate", True)
        assert (overview["counted"], overview["counted_ago"]) == ([], None)
        assert overview["tiles"]["rss"] > 2**20
        probe.stop()

    async def test_every_kind(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Held, idle, unbounded and closing sessions are told apart.
        """
        async with AsyncExitStack() as blocks:
            owner = await blocks.enter_async_context(supervisor.session("owner", group="g"))
            await blocks.enter_async_context(supervisor.attach("visitor", stall_timeout=90))
            await supervisor.open("idle", weight=2)
            await supervisor.open("endless", idle_timeout=None)
            await supervisor.open("child", parent=owner)
            closing = await supervisor.open("closing")
            closing.push_async_callback(asyncio.sleep, 4)
            closing.close_soon()
            overview = await newest(probe)
            assert overview["tiles"].items() >= {
                "live": 5, "held": 2, "idle": 3, "closing": 1, "unbounded": 0, "orphans": 0,
            }.items()  # fmt: skip
            assert overview["sample"]["live"] == 5
            assert overview["sample"]["orphans"] == 0
            assert overview.get("history", [])[-1] == overview["sample"]
            # Only what was not used for a minute counts as such, be it held or not.
            assert (await newest(probe, 64))["tiles"]["unbounded"] == 2

    async def test_mishaps(self, supervisor: Supervisor, probe: Probe) -> None:
        """
        Errors of the clean-up are counted.
        """
        supervisor.on_error(lambda session, error, where: None)
        (await supervisor.open("a")).callback(fail)
        supervisor.close_soon("a")
        assert (await newest(probe))["tiles"]["clean_up_errors"] == 1

    async def test_per_minute(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        What is told per minute is told once some seconds were seen, and is of the last minute.
        """
        for number in range(80):
            await supervisor.open(f"{number}")
            if number % 2:
                supervisor.close_soon(f"{number}")
            overview = await probe.overview(after=probe._number)
            if number < 4:
                assert overview["tiles"]["opened_per_minute"] is None
            if number > 5:
                assert overview["tiles"]["opened_per_minute"] == pytest.approx(60, rel=0.05)
                assert overview["tiles"]["closed_per_minute"] == pytest.approx(30, abs=7)
        overview = await newest(probe, 62)
        assert overview["tiles"]["opened_per_minute"] == 0
        assert overview["tiles"]["requests_per_minute"] is None

    async def test_per_minute_of_a_loop_that_stood_still(
        self, probe: Probe, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A minute stays one when the loop stood still for a part of it.
        """
        await newest(probe, 5)
        for number in range(30):
            await supervisor.open(f"{number}")
        clock.jump(25)
        overview = await newest(probe)
        assert overview["tiles"]["opened_per_minute"] == pytest.approx(60, rel=0.05)

    async def test_requests(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Requests are those that the program counts; where it counts none, opened sessions.
        """
        await supervisor.open("a")
        overview = await newest(probe, 8)
        assert overview["tiles"]["requests"] == overview["sample"]["requests"] == 1
        assert overview["tiles"]["requests_per_minute"] is None
        supervisor.count_request(40)
        overview = await newest(probe, 2)
        assert overview["tiles"]["requests"] == overview["sample"]["requests"] == 40
        per_minute = overview["tiles"]["requests_per_minute"]
        assert per_minute is not None
        assert per_minute > 200

    async def test_orphans(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Orphans are None until all sessions were looked at, then those that should be gone.
        """
        assert probe.latest is not None
        assert probe.latest["tiles"]["orphans"] is None
        block = supervisor.session("a")
        await asyncio.create_task(block.__aenter__(), name="connection")
        overview = await newest(probe, 3)
        assert overview["tiles"]["orphans"] == 1
        assert overview["counted_ago"] is not None
        assert 0 <= overview["counted_ago"] <= 2
        await block.__aexit__(None, None, None)
        assert (await newest(probe, 3))["tiles"]["orphans"] == 0


class TestEnds:
    async def test_reasons(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Ends are told by reason, in all and by minute, with the share that nobody asked for.
        """
        await supervisor.open("before")
        supervisor.close_soon("before")
        await newest(probe)
        await supervisor.open("a", idle_timeout=1)
        await supervisor.open("b")
        supervisor.close_soon("b")
        overview = await newest(probe, 3)
        assert overview["reasons"] == {**dict.fromkeys(CloseReason, 0), "deleted": 2, "idle": 1}
        told: dict[str, int] = {}
        for minute in overview["minutes"]:  # at the turn of a minute, two
            for reason, number in minute["reasons"].items():
                told[reason] = told.get(reason, 0) + number
        assert told == {"deleted": 2, "idle": 1}
        assert overview["tiles"]["automatic_share"] == pytest.approx(1 / 3)

    async def test_before_it_looked(self, supervisor: Supervisor) -> None:
        """
        What ended before anybody looked is in the sums, and in no minute.
        """
        await supervisor.open("a")
        supervisor.close_soon("a")
        probe = Probe(supervisor)
        overview = await newest(probe, 2)
        assert overview["reasons"]["deleted"] == 1
        assert overview["minutes"] == []
        assert overview["tiles"]["automatic_share"] is None
        probe.stop()


class TestDeadlines:
    async def test_reasons(self, start_supervisor: StartSupervisor) -> None:
        """
        The next ends come in their order, each with the reason it will have.
        """
        supervisor = await start_supervisor(unused_timeout=50, idle_timeout=80)
        probe = Probe(supervisor)
        async with supervisor.attach("stalled", stall_timeout=20), supervisor.session("unbounded"):
            async with supervisor.attach("idle"), supervisor.session("lingers", linger=60):
                pass
            await supervisor.open("unused")
            await supervisor.open("expired", max_age=30)
            async with supervisor.attach("endless", idle_timeout=None):
                pass
            overview = await newest(probe)
            told = [(each["id"], each["reason"]) for each in overview["deadlines"]]
            assert told == [
                ("stalled", "stalled"), ("expired", "expired"), ("unused", "unused"),
                ("lingers", "completed"), ("idle", "idle"),
            ]  # fmt: skip
            seconds = [each["seconds"] for each in overview["deadlines"]]
            assert seconds == sorted(seconds)
            assert seconds == pytest.approx([20, 30, 50, 60, 80], abs=1.2)
            for each in overview["deadlines"]:
                assert supervisor[each["id"]].incarnation == each["incarnation"]
        probe.stop()

    async def test_overdue(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        A deadline that has passed is negative.
        """
        stop_expiry(supervisor)
        await supervisor.open("a", idle_timeout=2)
        overview = await newest(probe, 6)
        (deadline,) = overview["deadlines"]
        assert -5 < deadline["seconds"] < -2

    async def test_at_most(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Of many, the first are told.
        """
        for number in range(400):
            await supervisor.open(f"{number}", idle_timeout=1000 - number)
        overview = await newest(probe)
        assert [each["id"] for each in overview["deadlines"]] == [
            f"{number}" for number in range(399, 399 - DEADLINES, -1)
        ]


class TestCounted:
    async def test_kinds(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Maps, variables and kinds of resources are counted, the largest first, and nothing else is.
        """
        for number in range(2):
            agents[await supervisor.open(f"{number}")] = number
        session = await supervisor.open("a")
        agents[session] = session.vars["a"] = 1
        drafts.set("a", session)
        session.callback(nothing)
        session.start_soon(asyncio.sleep, 1000)
        overview = await newest(probe, 2)
        assert overview["counted"][0] == {
            "name": "agents", "kind": "slot", "entries": 3, "orphans": 0,
        }  # fmt: skip
        told = {each["name"]: (each["kind"], each["entries"]) for each in overview["counted"]}
        assert told == {
            "agents": ("slot", 3), "drafts": ("slot", 1), "callback": ("callback", 1),
            "task": ("task", 1),
        }  # fmt: skip

    async def test_at_most(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Of many maps, the largest are told.
        """
        session = await supervisor.open("a")
        maps = [SessionMap[int](f"map {number}") for number in range(COUNTED + 5)]
        for each in maps:
            each[session] = 1
        assert len((await newest(probe, 2))["counted"]) == COUNTED


class TestSuspects:
    async def test_leak(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        What grows with each request is told first, as a leak, with its curve.
        """
        loop = asyncio.get_running_loop()

        async def request(number: int) -> None:
            supervisor.count_request(10)
            await supervisor.open(f"{number}", idle_timeout=None)
            agents[f"{number}"] = number

        async def requests() -> None:
            for number in range(400):
                await request(number)
                await asyncio.sleep(0.5)

        traffic = loop.create_task(requests())
        assert (await newest(probe, 3))["suspects"] == []
        await traffic
        overview = await newest(probe, 1)
        first, *_ = overview["suspects"]
        assert first["verdict"] == "leak"
        told: dict[str, Any] = {each["name"]: each for each in overview["suspects"]}
        assert "resident memory" not in told
        assert told["agents"]["kind"] == "map"
        assert 300 < told["agents"]["count"] <= 400
        assert told["agents"]["slope"] == pytest.approx(100, rel=0.1)
        assert 3 < len(told["agents"]["values"]) <= 60
        assert told["agents"]["since"] is not None

    async def test_at_most(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Of many rows, the first are told; what is only shown in the report is not among them.
        """
        session = await supervisor.open("a")
        for number in range(SUSPECTS + 5):
            SessionMap[int](f"map {number}")[session] = 1
        overview = await newest(probe, 12)
        assert len(overview["suspects"]) == SUSPECTS
        assert {each["verdict"] for each in overview["suspects"]} == {"bounded"}
