"""
Orphans: sampled sessions that should be gone, of every kind, found by whoever looks.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import CloseReason, ExpiringMap, Supervisor
from sessionstate._leaks import CLOSING, GRACE
from tests.bodies import LONG
from tests.traces import PARANOID, open_here, stop_expiry, traced

if TYPE_CHECKING:
    from tests.conftest import StartSupervisor

__all__ = ["traced"]  # a fixture

pytestmark = pytest.mark.virtual_time


def kinds(supervisor: Supervisor) -> list[tuple[str, str]]:
    """
    Tell which sessions are orphans now, and of which kind.
    """
    return [(leak.id, leak.kind) for leak in supervisor.leaks()]


async def abandon_block(supervisor: Supervisor, id: str) -> Any:
    """
    Enter a block in a task that ends inside of it; return the block.
    """
    block = supervisor.session(id)
    await asyncio.create_task(block.__aenter__(), name="connection")
    return block


class TestKinds:
    async def test_nothing_is_wrong(self, traced: Supervisor) -> None:
        """
        Sessions that are held, idle, closing or owned containers that wait are no orphans.
        """
        async with traced.session("held") as s:
            entries = ExpiringMap[str, int](ttl=100, session=s)
            entries["x"] = 1
            await traced.open("idle")
            assert traced.leaks() == []
            s.push_async_callback(asyncio.sleep, 1)
            await asyncio.sleep(300)
            assert traced.leaks() == []
            assert len(entries) == 0

    async def test_overdue(self, traced: Supervisor) -> None:
        """
        A live session past its deadline by more than the queue's tick and 5 s is an orphan.
        """
        stop_expiry(traced)
        s = await open_here(traced, "a")
        assert s.deadline is not None
        await asyncio.sleep(10 + GRACE)
        assert traced.leaks() == []
        await asyncio.sleep(0.1)
        assert kinds(traced) == [("a", "overdue")]
        (leak,) = traced.leaks()
        assert leak.why == "its deadline passed 5.1 s ago, and it is still live"
        assert leak.incarnation == s.incarnation
        assert leak.age == pytest.approx(15.1)
        assert leak.opened[0].endswith(" in open_here")
        s.touch()
        assert traced.leaks() == []

    async def test_overdue_by_its_age(self, traced: Supervisor) -> None:
        """
        A long limit has a longer grace, as its deadline is kept less exactly.
        """
        stop_expiry(traced)
        await traced.open("a", idle_timeout=None, max_age=7200)
        await asyncio.sleep(7200 + 20)
        assert traced.leaks() == []
        await asyncio.sleep(2)
        assert kinds(traced) == [("a", "overdue")]

    async def test_not_left(self, traced: Supervisor) -> None:
        """
        A session is an orphan that is held by a block whose task is done; once it is left, no more.
        """
        async with traced.session("mine"):
            block = await abandon_block(traced, "a")
            await asyncio.sleep(0)
            assert kinds(traced) == [("a", "not left")]
            (leak,) = traced.leaks()
            assert leak.why.startswith("owner in connection at ")
            assert leak.why.endswith(" has not left it, and that task is done")
            await block.__aexit__(None, None, None)
            assert traced.leaks() == []

    async def test_a_child_that_is_held(self, traced: Supervisor) -> None:
        """
        A parent is held by its child, which no task entered: that is no leak.
        """
        parent = await traced.open("parent")
        async with parent.child("child"):
            await asyncio.sleep(100)
            assert traced.leaks() == []

    async def test_still_closing(self, start_supervisor: StartSupervisor) -> None:
        """
        A session whose clean-up takes more than twice its budget is an orphan.
        """
        traced = await start_supervisor(leak_detection=PARANOID, close_timeout=5)
        s = await traced.open("a")
        hold = asyncio.Event()

        async def slow() -> None:
            await hold.wait()

        s.push_async_callback(slow)
        s.close_soon(CloseReason.DELETED)
        assert s._ending is not None
        s._ending._stop_timer()  # nobody puts an end to it
        await asyncio.sleep(10)
        assert traced.leaks() == []
        await asyncio.sleep(0.5)
        assert kinds(traced) == [("a", "still closing")]
        assert traced.leaks()[0].why == (
            "it ended 10.5 s ago (deleted), and its clean-up is not over, though close_timeout is "
            "5 s"
        )
        hold.set()
        await s.wait_closed()
        assert traced.leaks() == []

    async def test_a_clean_up_without_a_limit(self, traced: Supervisor) -> None:
        """
        A clean-up that may take for ever is an orphan's when it has taken five minutes.
        """
        s = await traced.open("a")
        s.push_async_callback(asyncio.sleep, LONG)
        s.close_soon()
        await asyncio.sleep(CLOSING)
        assert traced.leaks() == []
        await asyncio.sleep(61)
        assert kinds(traced) == [("a", "still closing")]
        assert traced.leaks()[0].why == (
            "it ended 6 min 1 s ago (completed), and its clean-up is not over, though "
            "close_timeout is None"
        )
        await s.wait_closed()

    async def test_a_clean_up_with_a_long_limit(self, start_supervisor: StartSupervisor) -> None:
        """
        A limit that was given is what counts, though it be long.
        """
        traced = await start_supervisor(leak_detection=PARANOID, close_timeout=2 * CLOSING)
        s = await traced.open("a")
        s.push_async_callback(asyncio.sleep, CLOSING + 1)
        s.close_soon()
        await asyncio.sleep(CLOSING + 0.5)
        assert traced.leaks() == []
        await s.wait_closed()

    async def test_endless(self, traced: Supervisor) -> None:
        """
        A session without any limit is an orphan when nobody has used it for an hour.
        """
        s = await traced.open("a", idle_timeout=None)
        await asyncio.sleep(3000)
        s.touch()
        await asyncio.sleep(3600)
        assert traced.leaks() == []
        await asyncio.sleep(1)
        assert kinds(traced) == [("a", "endless")]
        why = "it was last used 1 h 1 s ago, nobody is inside, and every limit is None"
        assert traced.leaks()[0].why == why
        async with traced.attach("a"):
            assert traced.leaks() == []

    async def test_late_container(self, traced: Supervisor) -> None:
        """
        A session is an orphan that owns a container with an entry that nobody lets go of.
        """
        async with traced.session("a") as s, traced.session("b") as other:
            s.callback(len, "")
            fresh = ExpiringMap[str, int](ttl=LONG, session=other)
            empty = ExpiringMap[str, int](ttl=10, session=other)
            stale = ExpiringMap[str, int](ttl=10, session=s)
            fresh["x"] = stale["x"] = 1
            traced._bells.stop()
            await asyncio.sleep(10 + GRACE)
            assert traced.leaks() == []
            await asyncio.sleep(0.2)
            assert kinds(traced) == [("a", "late container")]
            assert traced.leaks()[0].why.startswith(
                "container ExpiringMap has an entry that was to go 5."
            )
            traced._bells.arm(0.0)
            await asyncio.sleep(0.1)
            assert traced.leaks() == []
            assert len(empty) == len(stale) == 0

    async def test_in_the_order_of_their_opening(self, traced: Supervisor) -> None:
        """
        Leaks are told in the order in which the sessions were opened.
        """
        stop_expiry(traced)
        for id in "cab":
            await traced.open(id)
        await traced["c"].aclose()
        await traced.open("d")
        await asyncio.sleep(100)
        assert [leak.id for leak in traced.leaks()] == ["a", "b", "d"]
