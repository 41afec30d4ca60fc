"""
How holders are interrupted when their session ends, and what they see of it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from sessionstate import CloseReason, SessionClosed, Supervisor, attach, session
from tests.bodies import LONG, cancelling, nothing_stray, soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from sessionstate import Session
    from sessionstate.testing import VirtualClock

    Scope = Callable[[], AbstractAsyncContextManager[Any]]

pytestmark = pytest.mark.virtual_time


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    """
    Be no scope at all.
    """
    yield


@asynccontextmanager
async def anyio_timeout(seconds: float = LONG) -> AsyncIterator[None]:
    """
    Be a time-out of anyio.
    """
    with anyio.fail_after(seconds):
        yield


@asynccontextmanager
async def busy_group() -> AsyncIterator[None]:
    """
    Be a task group with a child that is cancelled when the body is done.
    """
    async with asyncio.TaskGroup() as group:
        child = group.create_task(asyncio.sleep(LONG))
        yield
        child.cancel()


@asynccontextmanager
async def busy_anyio_group() -> AsyncIterator[None]:
    """
    Be a task group of anyio with a child that is cancelled when the body is done.
    """
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, LONG)
        yield
        group.cancel_scope.cancel()


@asynccontextmanager
async def other_session() -> AsyncIterator[None]:
    """
    Be a block of another session, with a clean-up that takes a while.
    """
    async with session("other") as other:
        other.push_async_callback(asyncio.sleep, 0.25)
        yield


SCOPES: list[Scope] = [
    nothing,
    lambda: asyncio.timeout(LONG),
    anyio_timeout,
    busy_group,
    busy_anyio_group,
    other_session,
]
NAMES = ["nothing", "timeout", "anyio timeout", "group", "anyio group", "session"]


class TestTheWayOut:
    @pytest.mark.parametrize("enter", [session, attach])
    @pytest.mark.parametrize("inside", SCOPES, ids=NAMES)
    @pytest.mark.parametrize("outside", SCOPES[:-1], ids=NAMES[:-1])
    async def test_one_interruption_among_scopes(
        self, supervisor: Supervisor, enter: Any, inside: Scope, outside: Scope
    ) -> None:
        """
        A holder gets one SessionClosed whatever scopes are around and inside, and nothing stray.
        """
        soon(1, supervisor.close_soon, "a")
        async with outside():
            with pytest.raises(SessionClosed) as caught:
                async with enter("a"), inside():
                    await asyncio.sleep(LONG)
            assert caught.value.reason is CloseReason.DELETED
            await nothing_stray()
        await nothing_stray()
        assert len(supervisor) == 0

    @pytest.mark.parametrize("slow", [False, True])
    @pytest.mark.parametrize("close_first", [False, True])
    @pytest.mark.parametrize("scope", [asyncio.timeout, anyio_timeout])
    async def test_outer_timeout_wins(
        self, supervisor: Supervisor, scope: Any, close_first: bool, slow: bool
    ) -> None:
        """
        A time-out around the block that strikes in the same tick is what comes out.
        """
        if close_first:
            soon(1, supervisor.close_soon, "a")
        with pytest.raises(TimeoutError):
            async with scope(1):
                if not close_first:
                    soon(1, supervisor.close_soon, "a")
                async with session("a") as s:
                    if slow:
                        s.push_async_callback(asyncio.sleep, 1)
                    await asyncio.sleep(LONG)
        await nothing_stray()

    async def test_outer_cancellation_wins(self, supervisor: Supervisor) -> None:
        """
        A task that is cancelled and interrupted at once ends as cancelled.
        """

        async def hold() -> None:
            async with session("a"):
                await asyncio.sleep(LONG)

        task = asyncio.create_task(hold())
        await asyncio.sleep(1)
        supervisor.close_soon("a")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelling() == 1

    @pytest.mark.parametrize("how", ["visitor", "opening"])
    async def test_scope_cancelled_in_the_same_step(self, supervisor: Supervisor, how: str) -> None:
        """
        A scope that is cancelled just before a holder is interrupted is left quietly as well.
        """

        async def end(session: Session) -> None:
            asyncio.get_running_loop().call_soon(scope.cancel)
            session.close_soon()
            await asyncio.sleep(0)

        with anyio.CancelScope() as scope:
            if how == "opening":
                supervisor.on_open(end)
                await supervisor.open("a")
            async with supervisor.attach("a") as session:
                await end(session)
        assert scope.cancelled_caught
        await nothing_stray()

    @pytest.mark.parametrize("enter", [session, attach])
    async def test_cancelled_scope_around_says_so(self, supervisor: Supervisor, enter: Any) -> None:
        """
        A cancelled anyio scope around an interrupted block is left quietly, as it was asked to be.
        """

        def both() -> None:
            supervisor.close_soon("a")
            asyncio.get_running_loop().call_soon(scope.cancel)

        with anyio.CancelScope() as scope:
            soon(1, both)
            async with enter("a"):
                try:
                    await asyncio.sleep(LONG)
                finally:
                    scope.cancel()
        assert scope.cancelled_caught
        await nothing_stray()

    async def test_entered_while_cancelled(self, supervisor: Supervisor) -> None:
        """
        A block in the `finally` of a cancelled task is interrupted like any other.
        """
        seen: list[type[BaseException]] = []

        async def hold() -> None:
            try:
                await asyncio.sleep(LONG)
            finally:
                try:
                    async with session("a"):
                        await asyncio.sleep(LONG)
                except BaseException as error:
                    seen.append(type(error))
                assert cancelling() == 1

        task = asyncio.create_task(hold())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        supervisor.close_soon("a")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == [SessionClosed]

    @pytest.mark.parametrize("close_first", [False, True])
    async def test_completing_in_the_same_tick(
        self, supervisor: Supervisor, close_first: bool
    ) -> None:
        """
        A body that completes in the tick of the end is no error; one told before that is told.
        """
        event = asyncio.Event()
        calls = [event.set, lambda: supervisor.close_soon("a")]
        for call in reversed(calls) if close_first else calls:
            soon(1, call)
        done = False
        with suppress(SessionClosed) if close_first else nullcontext():
            async with session("a") as s:
                s.push_async_callback(asyncio.sleep, 1)
                await event.wait()
                done = True
        assert done or close_first
        await nothing_stray()

    async def test_swallowed(self, supervisor: Supervisor) -> None:
        """
        A body that swallows its interruption and completes is not turned into an error.
        """
        soon(1, supervisor.close_soon, "a")
        async with session("a"):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(LONG)
            assert cancelling() == 1
        await nothing_stray()

    async def test_own_error_while_interrupted(self, supervisor: Supervisor) -> None:
        """
        An error that the body raises while it unwinds is what its caller sees.
        """
        soon(1, supervisor.close_soon, "a")
        with pytest.raises(ZeroDivisionError):
            async with session("a"):
                try:
                    await asyncio.sleep(LONG)
                finally:
                    raise ZeroDivisionError
        await nothing_stray()

    async def test_group_error_while_interrupted(self, supervisor: Supervisor) -> None:
        """
        The group of a child that fails while cancelled comes out, though 3.13 cancels again.
        """

        async def fail() -> None:
            try:
                await asyncio.sleep(LONG)
            finally:
                raise ZeroDivisionError

        soon(1, supervisor.close_soon, "a")
        with pytest.raises(ExceptionGroup) as caught:
            async with session("a") as s:
                s.push_async_callback(asyncio.sleep, 1)
                async with asyncio.TaskGroup() as group:
                    group.create_task(fail())
                    await asyncio.sleep(LONG)
        assert caught.group_contains(ZeroDivisionError)
        await nothing_stray()


class TestWhoAsked:
    @pytest.mark.parametrize("enter", [session, attach])
    @pytest.mark.parametrize("how", ["close_soon", "aclose", "by id", "by id, waiting"])
    async def test_swallows_exactly_that(
        self, supervisor: Supervisor, enter: Any, how: str
    ) -> None:
        """
        A holder that asks for the end is cancelled at its next await, and its block swallows that.
        """
        reached = False
        async with enter("a") as s:
            if how == "close_soon":
                assert s.close_soon()
            elif how == "aclose":
                assert await s.aclose()
            elif how == "by id":
                assert supervisor.close_soon("a")
            else:
                assert await supervisor.close("a")
            await asyncio.sleep(0)
            reached = True
        assert not reached
        await nothing_stray()

    async def test_completes_without_an_await(self, supervisor: Supervisor) -> None:
        """
        A holder that asks for the end and returns is never cancelled.
        """
        async with session("a") as s:
            s.push_async_callback(asyncio.sleep, 1)
            s.close_soon()
        assert s.close_reason is CloseReason.COMPLETED
        await nothing_stray()

    async def test_nested_blocks_of_the_asker(self, supervisor: Supervisor) -> None:
        """
        Each block of the task that asked swallows its own cancellation, the inner one first.
        """
        log: list[str] = []
        async with session("a"):
            async with attach("a") as s:
                s.close_soon()
                await asyncio.sleep(0)
                log.append("inner")
            log.append("between")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            log.append("outer")
        assert log == ["between"]
        assert s.state == "closed"
        await nothing_stray()

    async def test_others_get_session_closed(self, supervisor: Supervisor) -> None:
        """
        Every other holder gets SessionClosed with the reason that the asker gave.
        """

        async def other() -> None:
            async with attach("a"):
                await asyncio.sleep(LONG)

        task = asyncio.create_task(other())
        async with session("a") as s:
            await asyncio.sleep(1)
            s.close_soon(CloseReason.EXPIRED)
            await asyncio.sleep(1)
        with pytest.raises(SessionClosed) as caught:
            await task
        assert (caught.value.session, caught.value.reason) == (s, CloseReason.EXPIRED)
        assert caught.value.__cause__ is None

    async def test_outer_cancellation_of_the_asker(self, supervisor: Supervisor) -> None:
        """
        Only the cancellation that the end sent is swallowed: a time-out of the same tick comes out.
        """
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                async with session("a") as s:
                    try:
                        await asyncio.sleep(LONG)
                    finally:
                        s.close_soon()
                        await asyncio.sleep(0)
        await nothing_stray()

    async def test_finding_it_overdue_is_not_asking(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A holder that meets its own session's passed deadline did not ask for the end.
        """
        await clock.advance(0.5)
        with pytest.raises(SessionClosed) as caught:
            async with session("a", stall_timeout=300):
                await asyncio.sleep(300.1)
                with suppress(RuntimeError):
                    await supervisor.open("a")
                await asyncio.sleep(LONG)
        assert caught.value.reason is CloseReason.STALLED
