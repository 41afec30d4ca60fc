"""
How child sessions end: before their parent, whatever ends it, and who waits for whom.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from sessionstate import CloseReason, Session, SessionClosed, Supervisor
from tests.bodies import LONG, deaf, fail, noted, nothing_stray, soon
from tests.test_children import child_of

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time

DEEP, WIDE = 600, 2_000


async def family(supervisor: Supervisor, log: list[str], seconds: float = 1) -> list[Session]:
    """
    Open a root with two children, one of them with a child, each with an async clean-up.
    """
    root = await supervisor.open("root")
    a, b = await child_of(root, "a"), await child_of(root, "b")
    sessions = [root, a, b, await child_of(a, "aa")]
    for each in sessions:
        each.push_async_callback(noted, log, each.id, seconds)
    supervisor.on_close(lambda session, reason: log.append(f"hook {session.id} {reason}"))
    return sessions


async def own(supervisor: Supervisor, how: str) -> None:
    """
    Be the owner of a root, which leaves as told.
    """
    with suppress(ZeroDivisionError):
        async with supervisor.session("root"):
            if how == "failed":
                fail()


async def crash() -> None:
    """
    Be an owned task that crashes.
    """
    fail()


class TestOrder:
    @pytest.mark.parametrize(
        "how", ["completed", "failed", "deleted", "idle", "evicted", "resource_failed"]
    )
    async def test_children_first(
        self, start_supervisor: StartSupervisor, clock: VirtualClock, log: list[str], how: str
    ) -> None:
        """
        Whatever ends a parent, its children end before it, for that reason, and theirs before them.
        """
        supervisor = await start_supervisor(max_sessions=4)
        root, *others = await family(supervisor, log)
        if how in ("completed", "failed"):
            await own(supervisor, how)
        elif how == "deleted":
            await supervisor.close("root")
        elif how == "idle":
            for each in others:
                await supervisor.open(each.id, idle_timeout=None)
            await clock.advance(1810)
        elif how == "evicted":
            await clock.advance(1)
            for each in others:
                each.touch()
            await supervisor.open("new")
        else:
            root.start_soon(crash)
        await root.wait_closed()
        assert root.close_reason == how
        assert {each.close_reason for each in others} == {CloseReason.PARENT}
        hooks = [line.split()[1] for line in log if line.startswith("hook")]
        assert hooks.index("aa") < hooks.index("a") < hooks.index("root") == 3
        # The clean-up of the root begins when every child is closed, theirs at once.
        assert log.index("root begins") > max(log.index(id) for id in ("a", "b", "aa"))
        assert log.index("a begins") > log.index("aa")
        supervisor._check()

    async def test_shutdown(
        self, start_supervisor: StartSupervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        Leaving the supervisor ends all of them as `shutdown`, children before parents.
        """
        async with Supervisor(default=False) as supervisor:
            sessions = await family(supervisor, log)
        assert {each.close_reason for each in sessions} == {CloseReason.SHUTDOWN}
        assert [each.state for each in sessions] == ["closed"] * 4
        assert [line.split()[1] for line in log if line.startswith("hook")][-1] == "root"
        assert log.index("a begins") > log.index("aa")
        assert log.index("root begins") > log.index("a")

    async def test_hurried_shutdown(self, clock: VirtualClock, log: list[str]) -> None:
        """
        When the time of a shutdown is over, all that is left begins, children before parents.
        """
        async with Supervisor(default=False, shutdown_timeout=2) as supervisor:
            sessions = await family(supervisor, log, LONG)
            supervisor.on_error(lambda *_: None)
        assert clock.now < 3
        assert [each.state for each in sessions] == ["closed"] * 4
        begun = [line for line in log if line.endswith("begins")]
        assert begun.index("root begins") == 3
        assert begun.index("aa begins") < begun.index("a begins")

    async def test_holders_are_interrupted(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        Who is inside a child is interrupted when the parent ends, and told so.
        """
        root = await supervisor.open("root")
        came: list[CloseReason] = []

        async def hold() -> None:
            try:
                async with root.child("child"):
                    await asyncio.sleep(LONG)
            except SessionClosed as closed:
                came.append(closed.reason)

        holder = asyncio.create_task(hold())
        await clock.advance(1)
        await root.aclose()
        await holder
        assert (came, clock.now) == ([CloseReason.PARENT], 1)

    async def test_clean_up_of_the_parent_waits_for_bodies_of_children(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        The parent's clean-up waits for its children's bodies and clean-ups, however many there are.
        """
        root = await supervisor.open("root")
        root.callback(log.append, "root")

        async def hold(number: int) -> None:
            with suppress(SessionClosed):
                async with root.child() as child:
                    child.push_async_callback(noted, log, "child", number / 10)
                    try:
                        await asyncio.sleep(LONG)
                    finally:
                        await asyncio.sleep(number / 10)

        holders = [asyncio.create_task(hold(number)) for number in range(10)]
        await clock.advance(1)
        await root.aclose()
        assert log[-1] == "root"
        assert log.count("child") == 10
        assert clock.now == pytest.approx(1 + 0.9 * 2)
        await asyncio.gather(*holders)
        assert supervisor.statistics().stuck == 0

    async def test_children_that_hang(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        Children that hang delay their parent by their own budget and no more.
        """
        root = await supervisor.open("root")
        child = await child_of(root)
        for each in (root, child):
            each.push_async_callback(deaf, 50, log)

        async def hold() -> None:
            async with supervisor.attach("child"):
                await deaf(50)

        holder = asyncio.create_task(hold())
        await asyncio.sleep(0)
        with pytest.raises(ExceptionGroup, match="'root'") as caught:
            await root.aclose()
        assert len(caught.value.exceptions) == 1  # its own
        assert clock.now == pytest.approx(10)
        statistics = supervisor.statistics()
        assert (statistics.stuck, statistics.abandoned, log) == (1, 2, [])
        await holder
        await clock.advance(50)

    async def test_patience_begins_after_the_children(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A body is not stuck in the parent while it waits for the clean-up of a child.
        """
        with pytest.raises(SessionClosed, match="'root'"):
            async with supervisor.session("root") as root, root.child() as child:
                child.push_async_callback(asyncio.sleep, 3)
                soon(1, root.close_soon)
                await asyncio.sleep(LONG)
        assert clock.now == 4
        assert supervisor.statistics().stuck == supervisor.statistics().clean_up_errors == 0
        await nothing_stray()


class TestNothingRemains:
    async def test_finished_child_is_freed(self, supervisor: Supervisor) -> None:
        """
        A child that finished does not wait for its parent, and is freed by its count.
        """
        gc.collect()
        gc.disable()
        try:
            async with supervisor.session("root", max_children=5) as root:
                for _ in range(3):
                    async with (
                        root.child(group="g", weight=2) as child,
                        child.child() as grandchild,
                    ):
                        child.callback(list)
                    refs = [weakref.ref(child), weakref.ref(grandchild)]
                    del child, grandchild
                    assert [ref() for ref in refs] == [None, None]
                assert (root.children, len(supervisor)) == ((), 1)
                assert supervisor.statistics().weight == 0
                supervisor._check()
        finally:
            gc.enable()

    @pytest.mark.parametrize("how", ["plain", "async", "body"])
    async def test_deep(self, start_supervisor: StartSupervisor, log: list[str], how: str) -> None:
        """
        A line of descendants as long as the stack is deep is held, released and ended in order.
        """
        supervisor = await start_supervisor(close_timeout=None, shutdown_timeout=None)
        async with AsyncExitStack() as stack:
            session = root = await stack.enter_async_context(supervisor.attach("0"))
            for number in range(1, DEEP):
                session = await stack.enter_async_context(
                    supervisor.attach(str(number), parent=session)
                )
                if how == "async":
                    session.push_async_callback(noted, log, session.id)
                else:
                    session.callback(log.append, session.id)
        assert root.state == "idle"
        with suppress(SessionClosed):
            async with supervisor.attach(session.id):
                assert root.state == "open"
                if how == "body":
                    soon(1, root.close_soon)
                    await asyncio.sleep(LONG)
        supervisor._check()
        await root.aclose()
        closed = [int(line) for line in log if "begins" not in line]
        assert closed == list(reversed(range(1, DEEP)))
        assert len(supervisor) == 0

    @pytest.mark.parametrize("how", ["plain", "async"])
    async def test_wide(self, start_supervisor: StartSupervisor, log: list[str], how: str) -> None:
        """
        Ten thousand children end before their parent, newest first.
        """
        supervisor = await start_supervisor(max_sessions=None, max_closing=None)
        root = await supervisor.open("root")
        for number in range(WIDE):
            child = await child_of(root, str(number))
            if how == "async":
                child.push_async_callback(noted, log, child.id)
            else:
                child.callback(log.append, child.id)
        root.callback(log.append, "root")
        supervisor._check()
        await root.aclose()
        closed = [line for line in log if "begins" not in line]
        assert closed == [*map(str, reversed(range(WIDE))), "root"]
