"""
Who waits for the end of a session, and through what.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from sessionstate import CloseReason, SessionClosed, Supervisor, attach, session
from sessionstate.testing import VirtualClock
from tests.bodies import LONG, noted, nothing_stray, soon

if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.virtual_time


class TestOwnersWait:
    @pytest.mark.parametrize("times", [1, 2, 3])
    @pytest.mark.parametrize("when", ["body", "clean-up"])
    async def test_native_cancellations(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str], times: int, when: str
    ) -> None:
        """
        However often its task is cancelled, an owner waits for the clean-up, then is cancelled.
        """

        async def own() -> None:
            async with session("a") as s:
                s.push_async_callback(noted, log, "one", 1)
                s.push_async_callback(noted, log, "two", 1.5)
                if when == "body":
                    await asyncio.sleep(LONG)

        task = asyncio.create_task(own())
        for _ in range(times):
            await asyncio.sleep(0.5)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == ["two begins", "two", "one begins", "one"]
        assert task.cancelling() == times
        assert clock.now == (3 if when == "body" else 2.5)

    @pytest.mark.parametrize("native", [True, False])
    async def test_timeout_around(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str], native: bool
    ) -> None:
        """
        A time-out around the block strikes when the clean-up is over, and leaves nothing stray.
        """
        scope: Any = asyncio.timeout(1) if native else None
        with pytest.raises(TimeoutError):
            if native:
                async with scope, session("a") as s:
                    s.push_async_callback(noted, log, "clean", 2)
            else:
                with anyio.fail_after(1):
                    async with session("a") as s:
                        s.push_async_callback(noted, log, "clean", 2)
        assert (clock.now, log) == (2, ["clean begins", "clean"])
        assert s.close_reason is CloseReason.COMPLETED
        await nothing_stray()

    async def test_level_and_native_together(
        self,
        supervisor: Supervisor,
        clock: VirtualClock,
        steps: Callable[[], int],
        log: list[str],
    ) -> None:
        """
        A cancelled anyio scope and native cancellations neither cut the wait nor make it spin.
        """

        async def own() -> None:
            with anyio.CancelScope() as scope:
                soon(0.5, scope.cancel)
                async with session("a") as s:
                    s.push_async_callback(noted, log, "clean", 3)
            log.append("behind the scope")
            await asyncio.sleep(0)

        task = asyncio.create_task(own())
        for _ in range(2):
            await asyncio.sleep(1)
            task.cancel()
        before = steps()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert steps() - before < 50
        assert (clock.now, log[:2]) == (3, ["clean begins", "clean"])
        assert task.cancelling() == 2

    async def test_group_around(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        A failing sibling in a task group cancels the owner, whose clean-up completes first.
        """

        async def own() -> None:
            async with session("a") as s:
                s.push_async_callback(noted, log, "clean", 2)
                await asyncio.sleep(LONG)

        async def fail() -> None:
            await asyncio.sleep(1)
            raise ZeroDivisionError

        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(own())
                group.create_task(fail())
        assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
        assert log == ["clean begins", "clean"]

    async def test_body_error_becomes_the_context(self, supervisor: Supervisor) -> None:
        """
        A cancellation while cleaning up comes out with the body's error as its context.
        """

        async def own() -> None:
            async with session("a") as s:
                s.push_async_callback(asyncio.sleep, 1)
                raise ZeroDivisionError

        task = asyncio.create_task(own())
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        error: BaseException | None = caught.value
        seen = []
        while error is not None:
            seen.append(type(error))
            error = error.__context__
        assert seen[-1] is ZeroDivisionError

    async def test_errors_of_a_cancelled_owner_are_logged(
        self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        When the owner is cancelled while cleaning up, the errors of the clean-up are logged.
        """

        async def fail() -> None:
            await asyncio.sleep(1)
            raise ZeroDivisionError

        async def own() -> None:
            async with session("a") as s:
                s.push_async_callback(fail)

        task = asyncio.create_task(own())
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert "ZeroDivisionError" in caplog.text

    async def test_visitors_do_not_wait(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A visitor of a session that ends leaves at once.
        """
        soon(1, supervisor.close_soon, "a")
        with pytest.raises(SessionClosed):
            async with attach("a") as s:
                s.push_async_callback(asyncio.sleep, 2)
                await asyncio.sleep(LONG)
        assert (clock.now, s.state) == (1, "closing")
        assert await s.wait_closed() is CloseReason.DELETED
        assert clock.now == 3

    async def test_left_by_a_task_that_is_cancelled(self, supervisor: Supervisor) -> None:
        """
        The task that leaves a block is the one whose cancellation counts, not the one that entered.
        """
        block = session("a")
        s = await asyncio.create_task(block.__aenter__())
        s.push_async_callback(asyncio.sleep, 2)
        leaving = asyncio.create_task(block.__aexit__(None, None, None))
        await asyncio.sleep(1)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert s.state == "closed"


class TestPlainWaits:
    @pytest.mark.parametrize("how", ["close", "aclose", "wait_closed", "close again", "lookup"])
    async def test_cancelling_stops_the_waiting_only(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str], how: str
    ) -> None:
        """
        Cancelling a wait for the end stops the waiting, at once, and not the clean-up.
        """
        s = await supervisor.open("a")
        s.push_async_callback(noted, log, "clean", 2)
        if how not in {"close", "aclose"}:
            s.close_soon()
        calls: dict[str, Callable[[], Any]] = {
            "close": lambda: supervisor.close("a"),
            "aclose": s.aclose,
            "wait_closed": s.wait_closed,
            "close again": lambda: supervisor.close("a"),
            "lookup": lambda: supervisor.lookup("a"),
        }
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await calls[how]()
        assert (clock.now, s.state) == (1, "closing")
        await s.wait_closed()
        assert (clock.now, log) == (2, ["clean begins", "clean"])
        await nothing_stray()

    async def test_errors_of_a_cancelled_close_are_logged(
        self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        The errors of a clean-up whose close() call was cancelled are logged, as nobody raises them.
        """

        async def fail() -> None:
            await asyncio.sleep(2)
            raise ZeroDivisionError

        s = await supervisor.open("a")
        s.push_async_callback(fail)
        with suppress(TimeoutError):
            await asyncio.wait_for(supervisor.close("a"), 1)
        assert "ZeroDivisionError" not in caplog.text
        await s.wait_closed()
        assert "ZeroDivisionError" in caplog.text

    async def test_answers(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        Whoever decides the end is told True; who comes later waits for it, and is told False.
        """
        s = await supervisor.open("a")
        s.push_async_callback(asyncio.sleep, 2)
        answers = await asyncio.gather(supervisor.close("a"), supervisor.close("a"), s.aclose())
        assert answers == [True, False, False]
        assert clock.now == 2
        assert not await s.aclose()
        assert not await supervisor.close("a")
        assert await s.wait_closed() is CloseReason.DELETED
        assert clock.now == 2


class TestOutsideOfTasks:
    def test_closing_while_no_loop_runs(self, log: list[str]) -> None:
        """
        A session may be told to end between two runs of its loop; its clean-up runs in the second.
        """
        with asyncio.Runner(loop_factory=VirtualClock().new_event_loop) as runner:
            supervisor = Supervisor()
            runner.run(supervisor.__aenter__())
            block = supervisor.attach("a")
            s = runner.run(block.__aenter__())
            s.push_async_callback(noted, log, "clean", 1)
            assert s.close_soon()
            assert s.state == "closing"
            runner.run(s.wait_closed())
            assert log == ["clean begins", "clean"]
            runner.run(block.__aexit__(None, None, None))
            runner.run(supervisor.__aexit__(None, None, None))

    async def test_coroutine_without_a_task(self, supervisor: Supervisor) -> None:
        """
        A wait that no task runs is a wait like any other.
        """
        s = await supervisor.open("a")
        s.push_async_callback(asyncio.sleep, 1)
        s.close_soon()
        waiting = s.wait_closed()
        steps: list[object] = []
        soon(0, lambda: steps.append(waiting.send(None)))
        await s.wait_closed()
        assert len(steps) == 1
        with pytest.raises(StopIteration) as stopped:
            waiting.send(None)
        assert stopped.value.value is CloseReason.COMPLETED
