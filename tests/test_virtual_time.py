"""
The loop the other tests stand on: its clock, its two alarms, and its doors to the outside.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest

from tests import virtual_time
from tests.virtual_time import Clock, DeadlockError, LivelockError, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

eager_only = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="eager tasks came with Python 3.12"
)
EAGER = [False, pytest.param(True, marks=eager_only)]


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    """
    Give a virtual loop that loses its patience soon.
    """
    loop = VirtualLoop(patience=0.2)
    yield loop
    loop.close()


class TestTime:
    @pytest.mark.parametrize("eager", EAGER)
    def test_sleeping_takes_no_time(self, *, eager: bool) -> None:
        """
        A thousand years of sleep are over at once, and the clock says that they went by.
        """

        async def main() -> float:
            await asyncio.sleep(1000 * 365 * 86400.0)
            return asyncio.get_running_loop().time()

        before = time.monotonic()
        assert virtual_time.run(main(), eager=eager) == 1000 * 365 * 86400.0
        assert time.monotonic() - before < 10

    @pytest.mark.parametrize("start", [0.0, 1e3, 1e9, 3e10])
    def test_timer_is_never_early(self, loop: VirtualLoop, start: float) -> None:
        """
        A timer sees exactly its own time, however late in virtual time it is.
        """
        seen: list[tuple[float, float]] = []

        def note(when: float) -> None:
            seen.append((when, loop.time()))

        async def main() -> None:
            await asyncio.sleep(start)
            for step in (0.1, 0.3, 1 / 3, 7.7):
                when = loop.time() + step
                loop.call_at(when, note, when)
            await asyncio.sleep(10)

        loop.run_until_complete(main())
        assert len(seen) == 4
        assert all(when <= now <= when + 1e-9 for when, now in seen)

    def test_time_outs_fire_in_order(self, loop: VirtualLoop) -> None:
        """
        The earlier of two time-outs fires first, whatever their order of arming.
        """
        seen: list[int] = []

        async def main() -> None:
            async def wait(seconds: int) -> None:
                try:
                    async with asyncio.timeout(seconds):
                        await asyncio.Event().wait()
                except TimeoutError:
                    seen.append(seconds)

            await asyncio.gather(*(wait(seconds) for seconds in (50, 3, 700, 20)))

        loop.run_until_complete(main())
        assert seen == [3, 20, 50, 700]

    def test_advance_does_everything_that_is_due(self, loop: VirtualLoop) -> None:
        """
        After `advance` all that was due has been run, including what it made ready in turn.
        """
        seen: list[float] = []

        async def main() -> None:
            clock = Clock(loop)

            async def chain() -> None:
                await asyncio.sleep(5)
                for _ in range(20):
                    await asyncio.sleep(0)
                seen.append(clock.now)

            task = asyncio.create_task(chain())
            await clock.advance(4.999)
            assert seen == []
            await clock.advance(0.001)
            assert seen == [5.0]
            await task

        loop.run_until_complete(main())

    def test_settle_gives_up_on_a_spinning_task(self, loop: VirtualLoop) -> None:
        """
        `settle` says so when something is always ready.
        """

        async def main() -> None:
            task = asyncio.create_task(spin())
            with pytest.raises(LivelockError, match="still ready"):
                await Clock(loop).settle(rounds=50)
            task.cancel()

        loop.run_until_complete(main())


class TestAlarms:
    def test_deadlock_is_told(self, loop: VirtualLoop) -> None:
        """
        Waiting for nobody raises at once, and names the waiting task and its line.
        """

        async def main() -> None:
            await asyncio.Event().wait()

        with pytest.raises(DeadlockError, match=r"(?s)no timer is armed.*main at .*:\d"):
            loop.run_until_complete(main())
        cancel_all(loop)

    def test_livelock_is_told(self, loop: VirtualLoop) -> None:
        """
        A task that yields for ever raises when the time stands still for too long.
        """
        loop.most_steps = 500

        with pytest.raises(LivelockError, match="500 iterations"):
            loop.run_until_complete(spin())
        cancel_all(loop)

    def test_spinning_timer_is_a_livelock(self, loop: VirtualLoop) -> None:
        """
        A timer armed again a billionth of a second later each time is not time moving.
        """
        loop.most_steps = 500

        with pytest.raises(LivelockError):
            loop.run_until_complete(spin(1e-9))
        cancel_all(loop)

    def test_silent_outside_is_a_deadlock_after_some_patience(self, loop: VirtualLoop) -> None:
        """
        A file descriptor that never becomes ready does not hang the suite.
        """
        left, right = socket.socketpair()
        with left, right:
            left.setblocking(False)

            async def main() -> None:
                await loop.sock_recv(left, 1)

            with pytest.raises(DeadlockError, match="1 file descriptors"):
                loop.run_until_complete(main())
            cancel_all(loop)


class TestOutside:
    def test_thread_wakes_the_loop(self, loop: VirtualLoop) -> None:
        """
        `call_soon_threadsafe` from a thread arrives, though no timer is armed.
        """

        async def main() -> str:
            future = loop.create_future()

            def work() -> None:
                time.sleep(0.03)
                loop.call_soon_threadsafe(future.set_result, "done")

            thread = threading.Thread(target=work)
            thread.start()
            result: str = await future
            thread.join()
            return result

        assert loop.run_until_complete(main()) == "done"

    @pytest.mark.parametrize("call", [asyncio.to_thread, anyio.to_thread.run_sync])
    def test_virtual_time_waits_for_a_job(
        self, loop: VirtualLoop, call: Callable[..., object]
    ) -> None:
        """
        A virtual hour does not go by while a worker thread is at work, and does afterwards.
        """

        async def main() -> None:
            async with asyncio.timeout(3600):
                await call(time.sleep, 0.03)  # type: ignore[misc]
            before = loop.time()
            assert before < 10
            await asyncio.sleep(3600)
            assert loop.time() - before == pytest.approx(3600)

        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_default_executor())

    def test_real_sockets_work(self, loop: VirtualLoop) -> None:
        """
        A stream server and its client talk on loopback.
        """

        async def main() -> bytes:
            async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(await reader.readline())
                await writer.drain()
                writer.close()

            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
                writer.write(b"hello\n")
                answer = await reader.read()
                writer.close()
                await writer.wait_closed()
            return answer

        assert loop.run_until_complete(main()) == b"hello\n"

    @pytest.mark.skipif(
        sys.platform == "win32", reason="Windows has them on the proactor loop only"
    )
    def test_real_child_processes_work(self, loop: VirtualLoop) -> None:
        """
        A child process is awaited, and virtual time does not run away meanwhile.
        """
        loop.patience = 20

        async def main() -> tuple[int, bytes]:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "print('hi')", stdout=asyncio.subprocess.PIPE
            )
            async with asyncio.timeout(3600):
                out, _ = await process.communicate()
            assert process.returncode is not None
            return process.returncode, out.strip()

        # 3.11 looks for its child watcher through the current loop.
        asyncio.set_event_loop(loop)
        try:
            assert loop.run_until_complete(main()) == (0, b"hi")
        finally:
            asyncio.set_event_loop(None)


class TestSteps:
    def test_before_step_is_called_before_each_callback(self, loop: VirtualLoop) -> None:
        """
        The hook sees each callback once, in order, and can cancel before it runs.
        """
        seen: list[str] = []
        loop.before_step = lambda: seen.append("step")
        loop.call_soon(seen.append, "a")
        loop.call_soon(seen.append, "b").cancel()
        loop.call_soon(seen.append, "c")
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert seen == ["step", "a", "step", "c", "step"]

    def test_steps_are_the_same_on_each_run(self) -> None:
        """
        The same program takes the same number of steps each time.
        """

        async def main() -> int:
            await asyncio.gather(*(asyncio.sleep(n) for n in range(20)))
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            return loop.steps

        assert len({virtual_time.run(main()) for _ in range(5)}) == 1

    @eager_only
    def test_eager_tasks_start_at_once(self) -> None:
        """
        The eager factory runs a task's first step inside `create_task`.
        """

        async def main() -> bool:
            seen: list[int] = []

            async def child() -> None:
                seen.append(1)
                await asyncio.sleep(0)

            task = asyncio.create_task(child())
            started = bool(seen)
            await task
            return started

        assert virtual_time.run(main(), eager=True)
        assert not virtual_time.run(main())


async def spin(seconds: float = 0) -> None:
    """
    Yield for ever.
    """
    while True:  # noqa: ASYNC110 - spinning is the point
        await asyncio.sleep(seconds)


def cancel_all(loop: VirtualLoop) -> None:
    """
    End what an alarm has left behind.
    """
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
