"""
Parents and children that are entered, ended and waited for by the same code.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sessionstate import (
    CloseReason,
    SessionClosed,
    Supervisor,
)
from tests.bodies import LONG, cancelling, fail, nothing_stray, soon
from tests.test_children import child_of
from tests.test_children_ending import crash

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sessionstate.testing import VirtualClock

pytestmark = pytest.mark.virtual_time


class TestBoth:
    async def test_task_inside_both(self, supervisor: Supervisor) -> None:
        """
        A task inside blocks of both sees the error of the outer block, whichever that is.
        """
        with pytest.raises(SessionClosed) as caught:
            async with supervisor.session("root") as root, root.child():
                soon(1, root.close_soon)
                await asyncio.sleep(LONG)
        assert caught.value.session is root
        assert cancelling() == 0
        root = await supervisor.open("root")
        with pytest.raises(SessionClosed) as caught:
            async with root.child() as child, supervisor.session("root"):
                soon(1, root.close_soon)
                await asyncio.sleep(LONG)
        assert caught.value.session is child
        assert caught.value.reason is CloseReason.PARENT
        await nothing_stray()
        await root.wait_closed()

    async def test_child_alone_ends(self, supervisor: Supervisor) -> None:
        """
        The end of a child is not its parent's: the block of the parent goes on.
        """
        async with supervisor.session("root") as root:
            with pytest.raises(SessionClosed, match="resource_failed"):
                async with root.child() as child:
                    child.start_soon(crash)
                    await asyncio.sleep(LONG)
            assert child.close_reason is CloseReason.RESOURCE_FAILED
            await asyncio.sleep(1)
        assert root.close_reason is CloseReason.COMPLETED

    async def test_who_asks_inside_both(self, supervisor: Supervisor) -> None:
        """
        Who asks for the end of the parent from inside of both is told nothing by either block.
        """
        async with supervisor.session("root") as root, root.child() as child:
            root.close_soon()
            await asyncio.sleep(LONG)
        async with supervisor.session("root") as root, root.child() as other:
            assert await root.aclose()
            await asyncio.sleep(LONG)
        assert (root.state, child.state, other.state) == ("closed",) * 3
        await nothing_stray()

    @pytest.mark.parametrize("asks", ["aclose", "wait_closed"])
    @pytest.mark.parametrize("who", ["root", "child"])
    @pytest.mark.parametrize("where", ["body", "task", "callback", "hook"])
    async def test_from_inside(
        self, supervisor: Supervisor, log: list[str], where: str, who: str, asks: str
    ) -> None:
        """
        From inside of parent or child, the end of the parent is asked for and not waited for.
        """
        began = asyncio.get_running_loop().time()
        root = await supervisor.open("root")
        inside = {"root": root, "child": await child_of(root)}[who]
        ask: Callable[[], Awaitable[object]] = root.aclose

        if asks == "wait_closed":

            async def ask() -> None:
                with pytest.raises(RuntimeError, match="would never return"):
                    await root.wait_closed()

        async def work() -> None:
            await ask()
            log.append("asked")

        if where == "body":
            with suppress(SessionClosed):
                async with supervisor.attach(inside.id):
                    await work()
        elif where == "task":
            inside.start_soon(work)
            await asyncio.sleep(0)
        elif where == "callback":
            inside.push_async_callback(work)
        else:
            supervisor.on_close(lambda session, _: work() if session is inside else None)
        await root.aclose()
        assert (log, inside.state) == (["asked"], "closed")
        assert asyncio.get_running_loop().time() == began
        assert supervisor.statistics().clean_up_errors == 0

    async def test_parent_waits_for_its_child(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        Bodies and tasks of a parent may wait for a child; its clean-up finds it closed.
        """
        root = await supervisor.open("root")
        for _ in range(2):
            child = await child_of(root)
            child.push_async_callback(asyncio.sleep, 1)
            async with supervisor.attach("root"):
                assert await supervisor.close("child")
            assert child.state == "closed"
        child = await child_of(root)
        root.push_async_callback(child.wait_closed)
        root.push_async_callback(child.aclose)
        await root.aclose()
        assert clock.now == 2

    @pytest.mark.parametrize("slow", [False, True])
    async def test_close_each_other(
        self,
        supervisor: Supervisor,
        clock: VirtualClock,
        log: list[str],
        slow: bool,
    ) -> None:
        """
        A parent and a child whose clean-ups close each other both end.
        """
        root = await supervisor.open("root")
        child = await child_of(root)
        for one, other in (root, child), (child, root):
            if slow:
                one.push_async_callback(asyncio.sleep, 1)
            one.push_async_callback(other.aclose)
            one.callback(other.close_soon)
            one.callback(log.append, one.id)
        assert await child.aclose()
        await root.wait_closed()
        assert (log, clock.now) == (["child", "root"], 2 if slow else 0)

    async def test_errors_of_children(
        self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Errors of a child's clean-up are logged, not raised by who ended the parent.
        """
        root = await supervisor.open("root")
        (await child_of(root)).callback(fail)
        await root.aclose()
        assert "'child' (parent)" in caplog.text
        assert supervisor.statistics().clean_up_errors == 1

    async def test_fatal_errors_of_children(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        A KeyboardInterrupt in a child's clean-up is raised by who ended the parent, after all ends.
        """

        def interrupt() -> None:
            raise KeyboardInterrupt

        root = await supervisor.open("root")
        for id in "abc":
            child = await child_of(root, id)
            child.callback(log.append, id)
            if id == "b":
                child.callback(interrupt)
        with pytest.raises(KeyboardInterrupt):
            await root.aclose()
        assert log == ["c", "b", "a"]
        assert len(supervisor) == 0
        assert root.state == "closed"
