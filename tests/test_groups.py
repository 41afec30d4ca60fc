"""
Groups of sessions: a limit on each, and an end for all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sessionstate import (
    CloseReason,
    Session,
    SessionClosed,
    Supervisor,
    SupervisorClosed,
    SupervisorFull,
)
from tests.bodies import LONG, fail
from tests.test_admission import ended, slowly_closing, soon

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time


async def member(supervisor: Supervisor, id: str, group: str = "user") -> Session:
    """
    Open a session of a group.
    """
    return await supervisor.open(id, group=group)


class TestEvict:
    async def test_longest_idle_of_that_group(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A full group makes room by its own member that is idle longest, whatever else is idle.
        """
        supervisor = await start_supervisor(max_per_group=2)
        for id, group in [("stranger", "other"), ("a", "user"), ("b", "user")]:
            await member(supervisor, id, group)
            await clock.advance(1)
        a, b = supervisor["a"], supervisor["b"]
        a.touch()
        await clock.advance(1)
        await member(supervisor, "c")
        assert (a.close_reason, b.close_reason) == (None, CloseReason.EVICTED)
        assert set(supervisor) == {"stranger", "a", "c"}
        async with supervisor.session("d", group="user") as d:
            assert (d.group, a.close_reason) == ("user", CloseReason.EVICTED)
        supervisor._check()

    async def test_expired_ones_first(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A member whose deadline has passed makes room before one that is idle longer.
        """
        supervisor = await start_supervisor(max_per_group=2)
        a = await member(supervisor, "a")
        b = await supervisor.open("b", group="user", idle_timeout=10)
        clock.jump(11)  # before anybody is told
        await member(supervisor, "c")
        assert (a.close_reason, b.close_reason) == (None, CloseReason.IDLE)

    @pytest.mark.parametrize("when_full", ["evict", "refuse", "wait"])
    async def test_expired_ones_though_held(
        self, start_supervisor: StartSupervisor, clock: VirtualClock, when_full: str
    ) -> None:
        """
        A member past its deadline makes room though somebody is inside of it.
        """
        supervisor = await start_supervisor(max_per_group=1, when_full=when_full)
        with pytest.raises(SessionClosed):
            async with supervisor.session("a", group="user", max_age=10) as a:
                clock.jump(11)  # before anybody is told
                await member(supervisor, "b")
                assert a.close_reason is CloseReason.EXPIRED
                await asyncio.sleep(LONG)
        assert set(supervisor) == {"b"}
        supervisor._check()

    async def test_held_ones_never(self, start_supervisor: StartSupervisor) -> None:
        """
        A group whose members are all held is `SupervisorFull`, which is counted.
        """
        supervisor = await start_supervisor(max_per_group=1)
        await member(supervisor, "stranger", "other")
        async with supervisor.session("a", group="user"):
            for enter in (
                supervisor.session("b", group="user").__aenter__,
                supervisor.attach("b", group="user").__aenter__,
            ):
                with pytest.raises(SupervisorFull, match=r"^group 'user' .* is at 1 of at most 1"):
                    await enter()
            async with supervisor.attach("a", group="user"):
                pass
        assert supervisor.statistics().refused == 2
        await member(supervisor, "b")
        supervisor._check()

    async def test_nobody_in_vain(self, start_supervisor: StartSupervisor) -> None:
        """
        Where one limit cannot be met, nobody is evicted for the sake of another.
        """
        supervisor = await start_supervisor(max_per_group=1, max_weight=10)
        idle = await supervisor.open("idle", weight=9)
        async with supervisor.session("held", group="user"):
            with pytest.raises(SupervisorFull, match="group 'user'"):
                await supervisor.open("new", group="user", weight=5)
        assert idle.state == "idle"
        await supervisor.open("new", group="user", weight=5)
        assert idle.close_reason is CloseReason.EVICTED


class TestRefuse:
    async def test_refuses(self, start_supervisor: StartSupervisor, clock: VirtualClock) -> None:
        """
        With ``when_full="refuse"`` a full group refuses, until somebody is gone or expired.
        """
        supervisor = await start_supervisor(max_per_group=1, when_full="refuse")
        a = await slowly_closing(supervisor, "a")
        b = await supervisor.open("b", group="user", idle_timeout=10)
        with pytest.raises(SupervisorFull, match="raise max_per_group"):
            await member(supervisor, "c")
        assert a.state == b.state == "idle"
        clock.jump(11)
        await member(supervisor, "c")
        await supervisor.close("c")
        await member(supervisor, "d")


class TestWait:
    async def test_first_come_first_served(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Those who wait for room in a group come in one after the other; other groups pass.
        """
        supervisor = await start_supervisor(max_per_group=1, when_full="wait", open_timeout=100)
        came: list[tuple[str, float]] = []

        async def use(id: str, group: str = "user") -> None:
            async with supervisor.session(id, group=group):
                came.append((id, clock.now))
                await asyncio.sleep(1)

        users = [soon(use(id)) for id in "abc"]
        await asyncio.sleep(0)
        late = [soon(use("x", "other")), soon(use("d"))]
        await asyncio.sleep(0.5)
        assert supervisor.statistics().waiting == 3
        await asyncio.gather(*users, *late)
        assert came == [("a", 0), ("x", 0), ("b", 1), ("c", 2), ("d", 3)]
        assert not supervisor._bounds.groups

    async def test_patience(self, start_supervisor: StartSupervisor, clock: VirtualClock) -> None:
        """
        Waiting ends after ``open_timeout``, however often somebody looked again.
        """
        supervisor = await start_supervisor(max_weight=10, when_full="wait", open_timeout=10)
        async with supervisor.session("a", weight=9) as a:
            waiting = soon(supervisor.open("b", weight=8))
            for _ in range(4):
                await clock.advance(3)
                a.weight -= 0.1
        with pytest.raises(SupervisorFull, match=r"8 more do not fit, .*open_timeout=10;"):
            await waiting
        assert supervisor.statistics().refused == 1
        assert len(supervisor) == 0
        supervisor._check()

    async def test_cancelled_while_waiting(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A waiter that is cancelled, even as it is told, lets the next one in, and leaves nothing.
        """
        supervisor = await start_supervisor(max_per_group=1, when_full="wait")
        for told in (False, True):
            a = await member(supervisor, "a")
            first, second = soon(member(supervisor, "b")), soon(member(supervisor, "c"))
            await clock.settle()
            if told:
                a.close_soon()
                await ended(first)
            else:
                await ended(first)
                a.close_soon()
            assert (await second).group == "user"
            assert await supervisor.close_group("user") == 1
            assert not supervisor._bounds.groups
            supervisor._check()

    async def test_supervisor_left_meanwhile(self, clock: VirtualClock) -> None:
        """
        Who waits for room in a group learns when the supervisor is left.
        """
        async with Supervisor(default=False, max_per_group=1, when_full="wait") as supervisor:
            await member(supervisor, "a")
            waiting = [soon(member(supervisor, id)) for id in "bc"]
            await clock.advance(1)
        for task in waiting:
            with pytest.raises(SupervisorClosed):
                await task
        assert not supervisor._bounds.groups
        assert supervisor.statistics().waiting == 0

    async def test_joins_who_came_before(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Two who wait for room for one id share the session that the first of them opens.
        """
        supervisor = await start_supervisor(max_per_group=1, when_full="wait")
        await member(supervisor, "a")
        waiting = [soon(member(supervisor, "b")) for _ in range(2)]
        await clock.settle()
        supervisor.close_soon("a")
        one, other = await asyncio.gather(*waiting)
        assert one is other
        assert supervisor._bounds.groups["user"].in_line == 0
        supervisor._check()

    async def test_from_one_line_to_another(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Who has waited for one limit and must wait for another leaves the first line to others.
        """
        supervisor = await start_supervisor(max_weight=10, max_per_group=1, when_full="wait")
        heavy = await supervisor.open("heavy", weight=8)
        both = soon(supervisor.open("both", group="user", weight=5))
        light = soon(supervisor.open("light", weight=4))
        await clock.settle()
        await member(supervisor, "a")
        heavy.close_soon()
        await clock.settle()
        assert (both.done(), light.done()) == (False, True)
        assert supervisor._bounds.groups["user"].in_line == 1
        supervisor._check()
        supervisor.close_soon("a")
        assert (await both).group == "user"
        assert supervisor.statistics().waiting == 0
        supervisor._check()

    async def test_both_limits(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Who waits for a place and for its group gets in when there is room in both.
        """
        supervisor = await start_supervisor(max_sessions=2, max_per_group=1, when_full="wait")
        await member(supervisor, "a")
        await supervisor.open("x")
        waiting = soon(member(supervisor, "b"))
        other = soon(supervisor.open("y"))
        await clock.settle()
        supervisor.close_soon("x")
        await clock.settle()
        assert (waiting.done(), other.done()) == (False, True)
        supervisor.close_soon("a")
        assert (await waiting).id == "b"
        assert supervisor.statistics().waiting == 0
        supervisor._check()


class TestSettled:
    async def test_by_the_opener(self, supervisor: Supervisor) -> None:
        """
        The group is settled by whoever opens; a later call may repeat it, and not change it.
        """
        a = await member(supervisor, "a")
        plain = await supervisor.open("plain")
        async with supervisor.attach("a"), supervisor.attach("a", group="user"):
            pass
        for id, group in [("a", "other"), ("plain", "user")]:
            with pytest.raises(ValueError, match="leave group out, or repeat"):
                await supervisor.open(id, group=group)
        assert (a.group, plain.group) == ("user", None)
        assert list(supervisor._bounds.groups) == ["user"]
        supervisor._check()

    async def test_no_residue(self, start_supervisor: StartSupervisor, log: list[str]) -> None:
        """
        An empty group leaves nothing, also when the opening fails.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="refuse")
        async with supervisor.session("a", group="one"):
            with pytest.raises(SupervisorFull):
                await member(supervisor, "b", "two")
            with pytest.raises(KeyError):
                await supervisor.attach("b", group="three", create=False).__aenter__()
            assert list(supervisor._bounds.groups) == ["one"]
        supervisor.on_open(lambda _: fail())
        with pytest.raises(ZeroDivisionError):
            await member(supervisor, "b")
        assert not supervisor._bounds.groups
        supervisor._check()
