"""
Child sessions while they live: what they hold, who may have them, how many.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import (
    CloseReason,
    Session,
    SessionClosed,
    SessionMap,
    SessionVar,
    Supervisor,
    SupervisorFull,
    current_session,
)
from tests.bodies import LONG
from tests.test_admission import slowly_closing, soon

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time


async def child_of(parent: Session, id: str = "child", **named: Any) -> Session:
    """
    Open a child that nobody holds.
    """
    return await parent.supervisor.open(id, parent=parent, **named)


class TestHolding:
    async def test_up_to_the_root(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A held session holds its parent, up to the root: open, with no idle deadline, for ever.
        """
        root = await supervisor.open("root")
        child = await child_of(root)
        grandchild = await child_of(child, "grandchild")
        family = [root, child, grandchild]
        assert [each.state for each in family] == ["idle"] * 3
        async with supervisor.attach("grandchild"):
            assert [each.state for each in family] == ["open"] * 3
            assert root.deadline is child.deadline is None
            assert supervisor.statistics().held == supervisor.statistics().unbounded == 3
            supervisor._check()
            await clock.advance(100_000)
        assert [each.state for each in family] == ["idle"] * 3
        supervisor._check()

    async def test_release_restarts_the_idle_clock(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        The parent's idle clock starts when its last held child is released.
        """
        root = await supervisor.open("root")
        child = await child_of(root)
        await child_of(child, "grandchild")
        async with supervisor.attach("grandchild"):
            await clock.advance(5000)
        assert root.last_used == child.last_used == root._due() - 1800 == 5000
        await clock.advance(1799)
        assert len(supervisor) == 3
        await clock.advance(10)
        assert len(supervisor) == 0
        assert root.close_reason is CloseReason.IDLE

    async def test_until_the_last_of_several(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        The parent is held while one of its children is, or somebody is inside itself.
        """
        async with supervisor.attach("root") as root, root.child("a", linger=9) as a:
            leave = AsyncExitStack()
            b = await leave.enter_async_context(root.child("b"))
            assert root.children == (a, b)
        assert (root.state, a.state, b.state) == ("open", "idle", "open")
        await clock.advance(10)
        assert root.children == (b,)
        await leave.aclose()
        assert (root.state, root.children) == ("idle", ())
        supervisor._check()

    async def test_never_evicted(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A parent that is held through a child is never evicted, though it was left longest ago.
        """
        supervisor = await start_supervisor(max_sessions=3)
        root = await supervisor.open("root")
        await clock.advance(1)
        child = await child_of(root)
        async with supervisor.attach("child"):
            other = await supervisor.open("other")
            await supervisor.open("new")
            assert other.close_reason is CloseReason.EVICTED
            async with supervisor.attach("new"):
                with pytest.raises(SupervisorFull, match="each of them is held"):
                    await supervisor.open("one more")
            await clock.advance(1)
            supervisor["new"].touch()
        assert root.state == child.state == "idle"
        await clock.advance(1)
        supervisor["new"].touch()
        await supervisor.open("one more")
        assert CloseReason.EVICTED in (root.close_reason, child.close_reason)
        assert child.close_reason is CloseReason.PARENT
        supervisor._check()

    async def test_stall_of_a_parent_with_a_busy_child(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        What a held child does is its parent's activity: the parent stalls when all are silent.
        """
        supervisor = await start_supervisor(stall_timeout=10)
        root = await supervisor.open("root")
        child = await child_of(root)
        with pytest.raises(SessionClosed):
            async with child.child("grandchild", stall_timeout=None) as grandchild:
                for _ in range(10):
                    await clock.advance(8)
                    grandchild.touch()
                assert root.deadline == child.deadline == 90
                await asyncio.sleep(1000)
        assert (root.close_reason, clock.now) == (CloseReason.STALLED, pytest.approx(90, abs=0.1))
        assert child.close_reason in (CloseReason.STALLED, CloseReason.PARENT)

    @pytest.mark.parametrize("how", ["block", "ended"])
    async def test_stall_of_a_parent_whose_child_was_busy(
        self, supervisor: Supervisor, clock: VirtualClock, how: str
    ) -> None:
        """
        A child that is let go of was used until then, and so was each of its ancestors.
        """
        async with (
            supervisor.session("root", stall_timeout=10) as root,
            root.child("child", stall_timeout=10) as child,
        ):
            async with child.child("grandchild") as grandchild:
                await clock.advance(6)
                grandchild.touch()
                await clock.advance(3)
                if how == "ended":
                    grandchild.close_soon()
            assert (child.deadline, root.deadline) == (19, 19)
            await clock.advance(9)
            assert child.state == root.state == "open"

    async def test_a_block_that_is_left_is_no_activity(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        For a session of its own, leaving one of several blocks is no activity.
        """
        with pytest.raises(SessionClosed):
            async with supervisor.session("a", weight=1, stall_timeout=10) as session:
                async with supervisor.attach("a"):
                    await clock.advance(5)
                assert session.deadline == 10
                await asyncio.sleep(LONG)

    async def test_deadline_asks_no_descendants(
        self, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        The deadline of a held session that cannot stall is found without its descendants.
        """
        monkeypatch.delattr("sessionstate._ties.Ties.latest_use")
        async with supervisor.session("root", max_age=LONG) as root, root.child("child"):
            assert root.deadline == LONG

    async def test_lingers(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A parent whose last owner left lingers from the release of its last child.
        """
        async with supervisor.session("root", linger=5) as root:
            child = await child_of(root)
        block = supervisor.attach("child")
        await block.__aenter__()
        await clock.advance(50)
        assert root.state == "open"
        await block.__aexit__(None, None, None)
        assert root.expires_in == 5
        await clock.advance(5.1)
        assert root.close_reason is CloseReason.COMPLETED
        assert child.close_reason is CloseReason.PARENT

    async def test_child_lingers(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A child that lingers does not hold its parent, and ends with it.
        """
        async with supervisor.session("root", linger=5) as root:
            async with root.child("child", linger=50) as child:
                pass
            assert child.expires_in == 50
        await clock.advance(5.1)
        assert (child.close_reason, len(supervisor)) == (CloseReason.PARENT, 0)

    async def test_pinned_while_a_child_is_opened(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A parent is neither idle nor evicted while the opening of a child of it waits.
        """
        supervisor = await start_supervisor(max_closing=1, idle_timeout=2, max_sessions=2)
        root = await supervisor.open("root")
        await slowly_closing(supervisor, "slow", 4)
        supervisor.close_soon("slow")
        opening = soon(child_of(root))
        await clock.advance(3.5)
        assert root.state == "open"
        assert "held by child session 'child'" in supervisor.dump()
        await clock.advance(0.6)
        assert (await opening).parent is root
        assert root.state == "idle"
        supervisor._check()


class TestEntering:
    async def test_shares_nothing(self, supervisor: Supervisor) -> None:
        """
        A child has its own vars, slots and lock, and is the current session inside its block.
        """
        agents: SessionMap[str] = SessionMap("agents")
        name = SessionVar("name", default="nobody")
        async with supervisor.session("root") as root:
            root.vars["x"] = agents[root] = "root"
            name.set("root")
            async with root.child() as child:
                assert current_session() is child
                assert (child.vars, child.id in agents, name.get()) == ({}, False, "nobody")
                assert child.lock is not root.lock
                assert len(child.id) == 32
                assert child.parent is root
                assert f"{__file__}:" in child.opened_where
            assert current_session() is root

    async def test_live_id_with_another_parent(self, supervisor: Supervisor) -> None:
        """
        A live id cannot become the child of another session, nor of itself or a descendant.
        """
        a, b = await supervisor.open("a"), await supervisor.open("b")
        child = await child_of(a)
        for parent, id, what in [
            (b, "child", "is a child of 'a'"),
            (a, "b", "has no parent"),
            (a, "a", "has no parent"),
            (child, "a", "has no parent"),
        ]:
            with pytest.raises(ValueError, match=f"'{id}' is live and {what}"):
                await child_of(parent, id)
        assert await child_of(a) is child
        async with supervisor.attach("child") as same:  # which names no parent
            assert same is child
        assert (a.state, b.state, child.state) == ("idle", "idle", "idle")
        supervisor._check()

    async def test_parent_that_has_ended(self, supervisor: Supervisor) -> None:
        """
        The child of a session that is closing or closed is `SessionClosed`, at entering.
        """
        root = await slowly_closing(supervisor, "root")
        block = root.child("child")
        root.close_soon()
        with pytest.raises(SessionClosed, match="'root'"):
            await block.__aenter__()
        await root.wait_closed()
        for enter in root.child("x").__aenter__, supervisor.attach("y", parent=root).__aenter__:
            with pytest.raises(SessionClosed, match="'root'"):
                await enter()
        assert (root.parent, root.children, root.group, root.weight) == (None, (), None, 0)
        assert len(supervisor) == 0

    @pytest.mark.parametrize("why", ["max_sessions", "max_children", "max_closing"])
    async def test_parent_that_ends_while_a_child_waits(
        self, start_supervisor: StartSupervisor, clock: VirtualClock, why: str
    ) -> None:
        """
        An opening that waits for room learns at once that the parent ends, which waits for none.
        """
        options: dict[str, Any] = {"when_full": "wait", "open_timeout": 90, why: 1}
        if why == "max_sessions":
            options[why] = 2
        supervisor = await start_supervisor(**options)
        root = await slowly_closing(supervisor, "root", 2)
        if why == "max_closing":
            (await slowly_closing(supervisor, "other", 4)).close_soon()
        else:
            await child_of(root, "first")
        opening = soon(child_of(root))
        await clock.advance(1)
        assert supervisor.statistics().waiting == (why != "max_closing")
        root.close_soon()
        await clock.settle()
        assert isinstance(opening.exception(), SessionClosed)
        assert clock.now == 1
        await root.wait_closed()
        assert clock.now == 3
        supervisor._check()
        await clock.advance(100)

    async def test_of_another_supervisor(self, start_supervisor: StartSupervisor) -> None:
        """
        A parent belongs to the supervisor that is asked for its child.
        """
        one = await start_supervisor(default=False, name="one")
        two = await start_supervisor(default=False)
        with pytest.raises(ValueError, match=r"belongs to supervisor 'one'.*parent.child\(...\)"):
            two.session("child", parent=await one.open("root"))
        with pytest.raises(TypeError, match="parent must be a Session, not 'root'"):
            one.attach("child", parent="root")  # type: ignore[arg-type]

    async def test_reopening_while_it_closes(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A child that is opened again while it closes begins a new life when that has ended.
        """
        root = await supervisor.open("root")
        old = await child_of(root)
        old.push_async_callback(asyncio.sleep, 2)
        old.close_soon()
        assert root.children == (old,)
        async with root.child("child") as new:
            assert (clock.now, new.incarnation) == (2, old.incarnation + 1)
            assert root.children == (new,)
        supervisor._check()

    async def test_no_child_of_what_closes_first(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A session that waits for an id to settle is given up when its parent ends meanwhile.
        """
        root = await supervisor.open("root")
        old = await slowly_closing(supervisor, "child", 3)
        old.close_soon()
        opening = soon(child_of(root))
        await clock.advance(1)
        assert root.state == "open"
        root.close_soon()
        with pytest.raises(SessionClosed, match="'root'"):
            await opening
        assert root.state == "closed"

    async def test_without_creating(self, supervisor: Supervisor) -> None:
        """
        With ``create=False`` a child is found, or it is not; nothing is made either way.
        """
        root = await supervisor.open("root")
        with pytest.raises(KeyError):
            await supervisor.attach("child", parent=root, create=False).__aenter__()
        await child_of(root)
        async with supervisor.attach("child", parent=root, create=False) as child:
            assert child.parent is root
        assert root.children == (child,)

    async def test_dump_shows_it(self, supervisor: Supervisor) -> None:
        """
        The dump tells whose child a session is, its group, its weight, and what holds its parent.
        """
        async with supervisor.session("root") as root, root.child("c", group="g", weight=2.5):
            text = supervisor.dump()
        assert "child of 'root', in group 'g', weighs 2.5" in text
        assert "held by child session 'c'" in text
