"""
Blocks within blocks, and blocks that are not left.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import CloseReason, SessionClosed, Supervisor, attach, session
from tests.bodies import LONG, nothing_stray, soon

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock

pytestmark = pytest.mark.virtual_time


class TestNestedBlocks:
    async def test_inner_block_of_another_session(self, supervisor: Supervisor) -> None:
        """
        An interruption of the outer session passes a block of another one, which ends as cancelled.
        """
        soon(1, supervisor.close_soon, "outer")
        with pytest.raises(SessionClosed) as caught:
            async with session("outer") as outer, session("inner") as inner:
                inner.push_async_callback(asyncio.sleep, 1)
                await asyncio.sleep(LONG)
        assert caught.value.session is outer
        assert inner.close_reason is CloseReason.CANCELLED
        await nothing_stray()

    async def test_both_sessions_at_once(self, supervisor: Supervisor) -> None:
        """
        When both sessions of a task end in one tick, the outer one's block tells.
        """
        soon(1, supervisor.close_soon, "outer")
        soon(1, supervisor.close_soon, "inner")
        with pytest.raises(SessionClosed) as caught:
            async with session("outer") as outer, session("inner"):
                await asyncio.sleep(LONG)
        assert caught.value.session is outer
        await nothing_stray()

    async def test_outer_session_ends_while_inner_cleans_up(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        An interruption while another session's clean-up is awaited comes out when that is over.
        """
        soon(1, supervisor.close_soon, "outer")
        with pytest.raises(SessionClosed) as caught:
            async with session("outer"), session("inner") as inner:
                inner.push_async_callback(asyncio.sleep, 2)
        assert (caught.value.session.id, inner.state, clock.now) == ("outer", "closed", 2)
        await nothing_stray()

    @pytest.mark.parametrize("enter", [session, attach])
    async def test_same_session_twice(self, supervisor: Supervisor, enter: Any) -> None:
        """
        Of two blocks of one session in one task the inner is interrupted, and does not wait.
        """
        soon(1, supervisor.close_soon, "a")
        states: list[str] = []
        with pytest.raises(SessionClosed):
            async with session("a") as s:
                s.push_async_callback(asyncio.sleep, 1)
                try:
                    async with enter("a"):
                        await asyncio.sleep(LONG)
                finally:
                    states.append(s.state)
        assert states == ["closing"]
        assert s.state == "closed"
        await nothing_stray()

    async def test_others_are_not_told_again(self, supervisor: Supervisor) -> None:
        """
        While a task is told block by block, a slow one beside it is cancelled once only.
        """
        told: list[str] = []

        async def slow() -> None:
            async with attach("a"):
                try:
                    await asyncio.sleep(LONG)
                finally:
                    told.append("slow")
                    await asyncio.sleep(1)
                    told.append("slow is out")

        task = asyncio.create_task(slow())
        await asyncio.sleep(0)
        soon(1, supervisor.close_soon, "a")
        with pytest.raises(SessionClosed):
            async with session("a"):
                with pytest.raises(SessionClosed):
                    async with attach("a"):
                        await asyncio.sleep(LONG)
                await asyncio.sleep(LONG)
        with pytest.raises(SessionClosed):
            await task
        assert told == ["slow", "slow is out"]

    async def test_outer_block_is_told_next(self, supervisor: Supervisor) -> None:
        """
        A body that goes on after its inner block was interrupted is interrupted at the outer one.
        """
        soon(1, supervisor.close_soon, "a")
        with pytest.raises(SessionClosed):
            async with session("a"):
                with pytest.raises(SessionClosed):
                    async with attach("a"):
                        await asyncio.sleep(LONG)
                await asyncio.sleep(LONG)
        await nothing_stray()


class TestStuck:
    async def test_goes_on_without_it(self, start_supervisor: Any, clock: VirtualClock) -> None:
        """
        After half of close_timeout a body still inside is cancelled again, reported, and left.
        """
        supervisor: Supervisor = await start_supervisor(close_timeout=10)
        errors: list[tuple[str, str]] = []
        supervisor.on_error(lambda s, error, where: errors.append((type(error).__name__, where)))
        cleaned: list[float] = []
        outcome: list[object] = []

        async def hold() -> None:
            async with session("a") as s:
                s.callback(lambda: cleaned.append(clock.now))
                for _ in range(3):
                    try:
                        await asyncio.sleep(20)
                    except asyncio.CancelledError:
                        outcome.append(clock.now)

        task = asyncio.create_task(hold(), name="holder")
        await asyncio.sleep(1)
        s = supervisor["a"]
        s.close_soon()
        await s.wait_closed()
        assert clock.now == 6
        assert cleaned == [6]
        assert supervisor.statistics().stuck == 1
        (error,) = errors
        assert error[0] == "TimeoutError"
        assert error[1].startswith("stuck owner in holder at ")
        await task
        assert outcome == [1, 6]
        assert task.cancelling() == 0

    async def test_leaves_at_the_second_cancellation(
        self, start_supervisor: Any, clock: VirtualClock
    ) -> None:
        """
        A stuck body that leaves at last gets SessionClosed, all its cancellations taken back.
        """
        supervisor: Supervisor = await start_supervisor(close_timeout=10)
        soon(1, supervisor.close_soon, "a")
        with pytest.raises(SessionClosed):
            async with session("a"):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(LONG)
                await asyncio.sleep(LONG)
        assert clock.now == 6
        await nothing_stray()

    async def test_half_of_what_the_shutdown_leaves(self, clock: VirtualClock) -> None:
        """
        A body that hangs does not keep its supervisor beyond shutdown_timeout.
        """
        supervisor = Supervisor(shutdown_timeout=4, close_timeout=None)
        await supervisor.__aenter__()

        async def hold() -> None:
            async with session("a"):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(20)
                await asyncio.sleep(20)

        task = asyncio.create_task(hold())
        await asyncio.sleep(1)
        await supervisor.__aexit__(None, None, None)
        assert clock.now == 3
        with pytest.raises(SessionClosed):
            await task


class TestNothingPinned:
    async def test_long_task_keeps_nothing_of_ended_sessions(self, supervisor: Supervisor) -> None:
        """
        A task that outlives its interrupted blocks keeps neither the session nor what ended it.
        """

        class Crash(Exception):
            pass

        kept: list[weakref.ref[Any]] = []

        async def crash() -> None:
            await asyncio.sleep(1)
            error = Crash()
            kept.append(weakref.ref(error))
            try:
                raise error
            finally:
                del error

        async def one() -> None:
            with suppress(SessionClosed):
                async with session("a") as s:
                    kept.append(weakref.ref(s))
                    s.start_soon(crash)
                    await asyncio.sleep(LONG)

        await one()
        await asyncio.sleep(1)
        gc.collect()
        assert [ref() for ref in kept] == [None, None]

    async def test_exit_stack(self, supervisor: Supervisor) -> None:
        """
        Blocks in an exit stack are interrupted and left in order.
        """
        soon(1, supervisor.close_soon, "b")
        with pytest.raises(SessionClosed) as caught:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(session("a"))
                await stack.enter_async_context(attach("b"))
                await stack.enter_async_context(session("c"))
                await asyncio.sleep(LONG)
        assert caught.value.session.id == "b"
        assert len(supervisor) == 0
        await nothing_stray()
