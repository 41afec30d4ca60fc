"""
Blocks left elsewhere: by another task, in no task, after their task is gone, or twice.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import CloseReason, SessionClosed, Supervisor, attach, session
from tests.bodies import LONG, nothing_stray, soon

if TYPE_CHECKING:
    from sessionstate import Session
    from sessionstate.testing import VirtualClock

pytestmark = pytest.mark.virtual_time


class TestLeftElsewhere:
    async def test_by_another_task(self, supervisor: Supervisor) -> None:
        """
        A block may be left by another task than entered it, in another context.
        """
        block = session("a")
        s = await asyncio.create_task(block.__aenter__())
        s.push_async_callback(asyncio.sleep, 1)
        assert s.state == "open"
        await asyncio.create_task(block.__aexit__(None, None, None))
        assert (s.state, s.close_reason) == ("closed", CloseReason.COMPLETED)

    async def test_entering_task_is_gone(self, supervisor: Supervisor) -> None:
        """
        Clean-up does not wait for a block whose entering task is done, nor interrupts who uses it.
        """
        block = attach("a")
        s = await asyncio.create_task(block.__aenter__())
        assert await supervisor.close("a")
        assert s.state == "closed"
        await nothing_stray()
        with pytest.raises(SessionClosed):
            s.callback(print)
        await block.__aexit__(None, None, None)
        await nothing_stray()

    async def test_entered_in_no_task(self, supervisor: Supervisor) -> None:
        """
        A block that a callback of the loop drove by hand is nobody's to interrupt or wait for.
        """
        block = attach("a")

        def enter() -> None:
            with suppress(StopIteration):
                block.__aenter__().send(None)

        soon(0, enter)
        await asyncio.sleep(0.1)
        s = supervisor["a"]
        assert len(s._holders or ()) == 1
        s.push_async_callback(asyncio.sleep, 1)
        assert s.close_soon()
        await asyncio.sleep(0.1)
        assert s.state == "closing"
        await block.__aexit__(None, None, None)
        await s.wait_closed()
        await nothing_stray()

    async def test_entering_task_ends_while_closing(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A task that ends without having left its block is waited for no longer.
        """
        block = attach("a")

        async def enter() -> None:
            await block.__aenter__()
            await asyncio.sleep(LONG)

        task = asyncio.create_task(enter())
        await asyncio.sleep(1)
        assert await supervisor.close("a")
        assert task.cancelled()
        assert clock.now == 1
        await block.__aexit__(None, None, None)

    async def test_several_entering_tasks_end(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        Clean-up begins once when several tasks end in one tick without having left their blocks.
        """
        blocks = [attach("a") for _ in range(3)]

        async def enter(block: Any) -> None:
            await block.__aenter__()
            await asyncio.sleep(LONG)

        tasks = [asyncio.create_task(enter(block)) for block in blocks]
        await asyncio.sleep(1)
        assert await supervisor.close("a")
        assert all(task.cancelled() for task in tasks)
        assert clock.now == 1
        for block in blocks:
            await block.__aexit__(None, None, None)

    async def test_entering_task_runs(self, supervisor: Supervisor) -> None:
        """
        The task that entered is the one that is interrupted, and gets its cancellation taken back.
        """
        block = session("a")
        log: list[str] = []

        async def enter() -> None:
            await block.__aenter__()
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError as error:
                log.append("interrupted")
                leaver = asyncio.create_task(block.__aexit__(type(error), error, None))
                assert await leaver is None
            await nothing_stray()
            log.append("on")

        soon(1, supervisor.close_soon, "a")
        await asyncio.create_task(enter())
        assert log == ["interrupted", "on"]

    @pytest.mark.parametrize("running", [True, False])
    async def test_generator_exit(self, supervisor: Supervisor, running: bool) -> None:
        """
        A body ended by GeneratorExit waits for nothing, and the clean-up runs all the same.
        """
        done: list[str] = []

        async def clean() -> None:
            await asyncio.sleep(1)
            done.append("clean")

        async def body() -> None:
            async with session("a") as s:
                s.push_async_callback(clean)
                await asyncio.get_running_loop().create_future()

        coro = body()
        coro.send(None)
        s = supervisor["a"]
        if not running:
            s.close_soon()
        coro.close()
        assert (s.state, s.close_reason) == (
            "closing",
            CloseReason.CANCELLED if running else CloseReason.COMPLETED,
        )
        await s.wait_closed()
        assert done == ["clean"]

    async def test_block_without_a_task(self, supervisor: Supervisor) -> None:
        """
        A block that no task entered is not interrupted, and clean-up does not wait for it.
        """
        entered: list[Session] = []
        block = attach("a")

        def step() -> None:
            with pytest.raises(StopIteration) as stopped:
                block.__aenter__().__await__().__next__()
            entered.append(stopped.value.value)

        soon(0, step)
        await asyncio.sleep(1)
        assert "visitor in no task" in supervisor.dump()
        assert await supervisor.close("a")
        assert entered[0].state == "closed"

        def leave() -> None:
            with pytest.raises(StopIteration):
                block.__aexit__(None, None, None).__await__().__next__()

        soon(0, leave)
        await asyncio.sleep(1)

    async def test_left_twice(self, supervisor: Supervisor) -> None:
        """
        Leaving a block that was left, or never entered, is a RuntimeError.
        """
        block = attach("a")
        with pytest.raises(RuntimeError, match="is not entered, or was left"):
            await block.__aexit__(None, None, None)
        async with block:
            pass
        with pytest.raises(RuntimeError, match="is not entered, or was left"):
            await block.__aexit__(None, None, None)
