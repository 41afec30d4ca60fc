"""
A block that leaves nothing open behind, whoever runs it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from typing import Any

import pytest

from sessionstate import Supervisor
from sessionstate.testing import LeftoverError, VirtualClock, census, no_leaks
from sessionstate.testing._settling import pauses, settle_outside


class TestNoLeaks:
    async def test_says_what_is_left(self, supervisor: Supervisor) -> None:
        """
        A session that outlives the block is an error that names it.
        """
        with pytest.raises(
            LeftoverError, match=r"(?s)still there:\n  session a, .*opened at"
        ) as info:
            async with no_leaks():
                await supervisor.open("a")
        assert [each.name for each in info.value.leftovers] == ["a"]
        await supervisor.close("a")

    async def test_lets_ends_come(self, supervisor: Supervisor) -> None:
        """
        What has been told to end has a moment for it.
        """
        async with no_leaks():
            session = await supervisor.open("a")
            session.push_async_callback(asyncio.sleep, 0.5)
            session.close_soon()
        assert session.close_reason is not None

    async def test_does_not_wait_for_ever(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        What takes longer than the moment is left.
        """
        with pytest.raises(LeftoverError, match="session a"):
            async with no_leaks(settle=0.1):
                session = await supervisor.open("a")
                session.push_async_callback(asyncio.sleep, 0.5)
                session.close_soon()
        assert clock.now < 0.2
        await session.wait_closed()

    async def test_ignores(self, supervisor: Supervisor) -> None:
        """
        What is named may be left.
        """
        async with no_leaks(ignore=["session a*"]):
            await supervisor.open("a1")
        await supervisor.close("a1")

    async def test_does_not_mask_an_error(self, supervisor: Supervisor) -> None:
        """
        The body's own error comes out, with a note of what is left.
        """
        with pytest.raises(KeyError) as info:
            async with no_leaks():
                await supervisor.open("a")
                raise KeyError("mine")
        assert "session a" in info.value.__notes__[0]
        await supervisor.close("a")

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell what is open")
    def test_collects_garbage_first(self) -> None:
        """
        What nothing but a cycle holds is not left.
        """

        class Held:
            def __init__(self) -> None:
                self.myself = self
                self.pipe = os.pipe()

            def __del__(self) -> None:
                for each in self.pipe:
                    os.close(each)

        gc.disable()
        try:
            with no_leaks(settle=0):
                Held()
        finally:
            gc.enable()

    async def test_forgotten_task(self) -> None:
        """
        A task that nothing but a cycle holds is left, though nobody will ever wake it.
        """

        class Hub:
            def __init__(self) -> None:
                self.queue: asyncio.Queue[int] = asyncio.Queue()
                self.worker = asyncio.create_task(self.run(), name="worker")

            async def run(self) -> None:
                await self.queue.get()

        with pytest.raises(LeftoverError, match=r"asyncio task worker: .*Hub\.run"):
            async with no_leaks():
                Hub()
                await asyncio.sleep(0)
        (worker,) = (each for each in asyncio.all_tasks() if each.get_name() == "worker")
        worker.cancel()
        await asyncio.wait([worker])

    def test_forgotten_task_of_a_loop_at_rest(self) -> None:
        """
        So it is in a loop that is run only meanwhile.
        """

        async def forget() -> None:
            asyncio.create_task(asyncio.Event().wait(), name="waits")  # noqa: RUF006 - on purpose

        loop = VirtualClock().new_event_loop()
        before = census(loop)
        loop.run_until_complete(forget())
        left = settle_outside(lambda: census(loop)._new(before), [loop], most=0)
        assert [each.name for each in left.values()] == ["waits: Event.wait"]
        (task,) = asyncio.all_tasks(loop)
        task.cancel()
        loop.run_until_complete(asyncio.wait([task]))
        loop.close()

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell what is open")
    def test_without_a_loop(self) -> None:
        """
        A plain ``with`` sees what needs no loop.
        """
        with pytest.raises(LeftoverError, match="file descriptor"), no_leaks(settle=0.03):
            read, write = os.pipe()
        os.close(read)
        os.close(write)

    async def test_needs_async_in_a_loop(self) -> None:
        """
        Where a loop runs a plain ``with`` says what to write, instead of stopping it.
        """
        with pytest.raises(RuntimeError, match="write 'async with no_leaks"), no_leaks():
            pytest.fail("it was entered")

    def test_waits_without_a_loop(self) -> None:
        """
        What a thread is about to close has a moment for it.
        """
        with no_leaks(settle=60):
            pipe = os.pipe()
            timer = threading.Timer(0.05, lambda: [os.close(each) for each in pipe])
            timer.start()
        timer.join()

    def test_stands_still_with_a_clock_moved_by_hand(self) -> None:
        """
        Where time is moved by hand it is not moved by the check, which ends all the same.
        """
        clock = VirtualClock(autojump=False)

        async def main() -> None:
            async with Supervisor() as supervisor:
                with pytest.raises(LeftoverError):
                    async with no_leaks():
                        await supervisor.open("a")

        clock.run(main())
        assert clock.now == 0

    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"ignore": "session *"}, TypeError, r"write ignore=\['session \*'\]"),
            ({"ignore": 12}, TypeError, "must be a list of patterns, not 12"),
            ({"ignore": ["a", 3]}, TypeError, "a pattern to ignore is text, not 3"),
            ({"settle": -1}, ValueError, "settle is -1: it is a finite number of seconds, 0 or"),
            ({"settle": float("nan")}, ValueError, "settle is nan: "),
            ({"settle": float("inf")}, ValueError, "settle is inf: "),
            ({"settle": "1"}, TypeError, "settle is a number of seconds, not '1'"),
        ],
    )
    def test_bad_input(self, options: dict[str, Any], error: type[Exception], words: str) -> None:
        """
        What cannot be meant says what to write instead.
        """
        with pytest.raises(error, match=words):
            no_leaks(**options)

    def test_pauses(self) -> None:
        """
        The first looks come soon, the later ones every tenth of a second, up to the end.
        """
        assert list(pauses(0.25)) == pytest.approx([0, 0.001, 0.005, 0.02, 0.1, 0.1, 0.024])
        assert list(pauses(0)) == [0]
        assert sum(pauses(1)) == pytest.approx(1)
