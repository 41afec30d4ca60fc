"""
Orphans in surveys: each kind is found among all sessions, with what it keeps, and nothing else is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sessionstate import ExpiringMap, SessionMap, Supervisor
from sessionstate._leaks import CLOSING, GRACE, UNUSED
from tests.bodies import LONG
from tests.test_survey import found, still, surveyed
from tests.traces import stop_expiry

if TYPE_CHECKING:
    from tests.conftest import StartSupervisor

__all__ = ["still"]  # a fixture

pytestmark = pytest.mark.virtual_time

agents = SessionMap[int]("agents")


@pytest.fixture
async def ten(start_supervisor: StartSupervisor) -> Supervisor:
    """
    Give a supervisor whose sessions end 10 s after their last use.
    """
    return await start_supervisor(idle_timeout=10)


async def orphans(supervisor: Supervisor) -> int:
    """
    Count the orphans, of which the sites must tell too.
    """
    survey = await surveyed(supervisor)
    assert sum(each.orphans for each in survey.counted if each.kind == "site") == survey.orphans
    return survey.orphans


class TestKinds:
    async def test_none(self, ten: Supervisor) -> None:
        """
        Sessions that are held, idle, or closing within their time are no orphans.
        """
        async with ten.session("held"), ten.session("stalls", stall_timeout=LONG) as s:
            entries = ExpiringMap[str, int](ttl=100, session=s)
            entries["x"] = 1
            await ten.open("idle")
            slow = await ten.open("slow")
            slow.push_async_callback(asyncio.sleep, 4)
            assert await orphans(ten) == 0
            slow.close_soon()
            await asyncio.sleep(3)
            assert await orphans(ten) == 0

    async def test_overdue(self, ten: Supervisor) -> None:
        """
        A session is an orphan that is live though its deadline has passed, and what it keeps too.
        """
        stop_expiry(ten)
        await ten.open("a")
        agents["a"] = 1
        await asyncio.sleep(3)
        await ten.open("b")
        agents["b"] = 1
        await asyncio.sleep(7 + GRACE)
        assert await orphans(ten) == 0
        await asyncio.sleep(0.1)
        survey = await surveyed(ten)
        assert (survey.sessions, survey.orphans) == (2, 1)
        assert found(survey, "slot") == {"agents": (2, 0, 1)}
        ten["a"].touch()
        assert await orphans(ten) == 0

    async def test_stalled(self, ten: Supervisor) -> None:
        """
        A session that is held for too long and not ended is an orphan.
        """
        stop_expiry(ten)
        async with ten.session("a", stall_timeout=10):
            await asyncio.sleep(11 + GRACE)
            assert await orphans(ten) == 1

    async def test_not_left(self, ten: Supervisor) -> None:
        """
        A session is an orphan while it is held by a block whose task is done.
        """
        block = ten.session("a")
        await asyncio.create_task(block.__aenter__())
        agents["a"] = 1
        async with ten.session("b"):
            await asyncio.sleep(0)
            survey = await surveyed(ten)
            assert (survey.sessions, survey.orphans) == (2, 1)
            assert found(survey, "slot") == {"agents": (1, 0, 1)}
            await block.__aexit__(None, None, None)
            assert await orphans(ten) == 0

    async def test_held_by_a_child(self, ten: Supervisor) -> None:
        """
        A parent is held by its child, which no task entered: it is no orphan for that.
        """
        parent = await ten.open("parent")
        async with parent.child("child"):
            await asyncio.sleep(100)
            assert await orphans(ten) == 0

    async def test_endless(self, ten: Supervisor) -> None:
        """
        A session without any limit is an orphan when nobody has used it for an hour.
        """
        s = await ten.open("a", idle_timeout=None)
        agents["a"] = 1
        await asyncio.sleep(UNUSED - 1)
        assert await orphans(ten) == 0
        await asyncio.sleep(2)
        assert await orphans(ten) == 1
        assert found(await surveyed(ten), "slot") == {"agents": (1, 1, 1)}
        async with ten.attach("a"):
            assert await orphans(ten) == 0
        s.touch()
        assert await orphans(ten) == 0

    async def test_late_container(self, ten: Supervisor) -> None:
        """
        A session is an orphan that owns a container with an entry that nobody lets go of.
        """
        async with ten.session("a") as s, ten.session("b"):
            stale = ExpiringMap[str, int](ttl=10, session=s)
            stale["x"] = 1
            ten._bells.stop()
            await asyncio.sleep(10 + GRACE)
            assert await orphans(ten) == 0
            await asyncio.sleep(0.2)
            assert await orphans(ten) == 1
            ten._bells.arm(0.0)
            await asyncio.sleep(0.1)
            assert await orphans(ten) == 0

    async def test_still_closing(self, start_supervisor: StartSupervisor) -> None:
        """
        A session whose clean-up takes too long is an orphan, and counted with what it keeps.
        """
        supervisor = await start_supervisor(close_timeout=None)
        s = await supervisor.open("a")
        agents["a"] = 1
        s.callback(len, "")
        s.push_async_callback(asyncio.sleep, LONG)
        s.close_soon()
        await asyncio.sleep(CLOSING - 1)
        assert await orphans(supervisor) == 0
        await asyncio.sleep(2)
        survey = await surveyed(supervisor)
        assert (survey.sessions, survey.orphans) == (0, 1)
        assert found(survey, "slot") == {"agents": (1, 0, 1)}
        assert found(survey, "resource") == {"callback": (1, 0, 1)}
        await s.wait_closed()
        assert await orphans(supervisor) == 0

    async def test_sampled_ones_agree(self, start_supervisor: StartSupervisor) -> None:
        """
        Where every session is sampled, surveys and `leaks` find the same number.
        """
        supervisor = await start_supervisor(
            idle_timeout=10, close_timeout=None, leak_detection="paranoid"
        )
        slow = await supervisor.open("slow")
        slow.push_async_callback(asyncio.sleep, 10 * LONG)
        slow.close_soon()
        await supervisor.open("endless", idle_timeout=None)
        await asyncio.sleep(UNUSED)
        block = supervisor.session("lost")
        await asyncio.create_task(block.__aenter__())
        stop_expiry(supervisor)
        await supervisor.open("late")
        await asyncio.sleep(20)
        await supervisor.open("well")
        assert len(supervisor.leaks()) == await orphans(supervisor) == 4
        await block.__aexit__(None, None, None)
        await slow.wait_closed()
