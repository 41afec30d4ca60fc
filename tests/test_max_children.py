"""
How many descendants a session may have, and what becomes of one too many.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from sessionstate import (
    CloseReason,
    SupervisorFull,
)
from tests.test_admission import ended, slowly_closing, soon
from tests.test_children import child_of

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time


class TestMaxChildren:
    @pytest.mark.parametrize("named", [False, True])
    async def test_all_live_descendants_count(
        self,
        start_supervisor: StartSupervisor,
        named: bool,
    ) -> None:
        """
        The limit is on live descendants, of each ancestor, whoever opened them.
        """
        supervisor = await start_supervisor(when_full="refuse", max_children=None if named else 3)
        async with AsyncExitStack() as stack:
            root = await supervisor.open("root", **({"max_children": 3} if named else {}))
            child = await stack.enter_async_context(root.child("a"))
            second = await slowly_closing(supervisor, "other")
            await child_of(child, "aa")
            third = await child_of(child, "ab")
            for parent in root, child, third:
                with pytest.raises(SupervisorFull, match=r"family of session 'root'.*3 of at most"):
                    await child_of(parent, "one more")
            await child_of(second, "elsewhere")
            third.push_async_callback(asyncio.sleep, 1)
            third.close_soon()  # closing ones do not count
            await child_of(child, "one more")
        assert supervisor.statistics().refused == 3
        supervisor._check()

    async def test_evicts_within_the_family(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A full family makes room by the descendant idle longest, never by a held one.
        """
        supervisor = await start_supervisor()
        await supervisor.open("stranger")
        root = await supervisor.open("root", max_children=2)
        await clock.advance(1)
        first = await child_of(root, "first")
        await clock.advance(1)
        second = await child_of(root, "second")
        await clock.advance(1)
        first.touch()
        third = await child_of(root, "third")
        assert second.close_reason is CloseReason.EVICTED
        async with supervisor.attach("first"), supervisor.attach("third"):
            with pytest.raises(SupervisorFull, match="held session is never evicted"):
                await child_of(root, "fourth")
        assert root.children == (first, third)
        assert "stranger" in supervisor

    async def test_waits_within_the_family(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        With ``when_full="wait"`` a full family is waited for, and others pass.
        """
        supervisor = await start_supervisor(when_full="wait", max_children=1)
        root, other = await supervisor.open("root"), await supervisor.open("other")
        first = await child_of(root, "first")
        waiting = [soon(child_of(root, id)) for id in ("second", "third")]
        await clock.advance(1)
        await child_of(other, "elsewhere")
        first.close_soon()
        await clock.settle()
        assert [task.done() for task in waiting] == [True, False]
        await ended(waiting[1])
        assert supervisor.statistics().waiting == 0
        supervisor._check()

    async def test_changed_by_a_later_call(self, start_supervisor: StartSupervisor) -> None:
        """
        A later call changes the limit of a live session, also to none.
        """
        supervisor = await start_supervisor(max_children=1, when_full="refuse")
        root = await supervisor.open("root")
        await child_of(root, "a")
        await supervisor.open("root", max_children=2)
        await child_of(root, "b")
        with pytest.raises(SupervisorFull):
            await child_of(root, "c")
        async with supervisor.session("root", max_children=None):
            await child_of(root, "c")
        for bad, error in [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]:
            with pytest.raises(error, match="max_children must be"):
                supervisor.attach("x", max_children=bad)  # type: ignore[arg-type]

    @pytest.mark.parametrize("limit", [2, None])
    async def test_raised_while_one_waits(
        self, start_supervisor: StartSupervisor, clock: VirtualClock, limit: int | None
    ) -> None:
        """
        A limit that is raised lets in who waits, and nobody is looked for there without a limit.
        """
        supervisor = await start_supervisor(when_full="wait")
        root = await supervisor.open("root", max_children=1)
        await child_of(root, "a")
        opening = soon(child_of(root, "b"))
        await clock.settle()
        assert not opening.done()
        await supervisor.open("root", max_children=limit)
        supervisor._check()
        await opening
        assert len(root.children) == 2
        supervisor._check()

    async def test_given_later(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A limit that comes when there are children evicts the one idle longest of those.
        """
        supervisor = await start_supervisor()
        root = await supervisor.open("root")
        a, b, c = [await child_of(root, id) for id in "abc"]
        await clock.advance(1)
        for used in a, b:
            used.touch()
        await supervisor.open("root", max_children=3)
        supervisor._check()
        await child_of(root, "d")
        assert [each.close_reason for each in (a, b, c)] == [None, None, CloseReason.EVICTED]
        supervisor._check()

    async def test_repeated(self, start_supervisor: StartSupervisor, clock: VirtualClock) -> None:
        """
        To repeat the limit changes nothing: whoever waits goes on waiting.
        """
        supervisor = await start_supervisor(when_full="wait")
        root = await supervisor.open("root", max_children=1)
        child = await child_of(root, "a")
        opening = soon(child_of(root, "b"))
        await clock.settle()
        await supervisor.open("root", max_children=1)
        supervisor._check()
        await clock.settle()
        assert not opening.done()
        child.close_soon()
        await opening
