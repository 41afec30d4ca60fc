"""
The loop that runs by a virtual clock: its two alarms, its doors to the outside, and its steps.
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

from sessionstate.testing import DeadlockError, LivelockError, VirtualClock, VirtualLoop
from sessionstate.testing._watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

eager_only = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="eager tasks came with Python 3.12"
)


@pytest.fixture
def clock() -> VirtualClock:
    """
    Give a clock whose loop loses its patience soon.
    """
    return VirtualClock(patience=0.2)


@pytest.fixture
def loop(clock: VirtualClock) -> Iterator[VirtualLoop]:
    """
    Give the loop that runs by `clock`.
    """
    loop = clock.new_event_loop()
    yield loop
    loop.close()


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

    def test_deadlock_names_every_task(self, loop: VirtualLoop) -> None:
        """
        The message names each task, what it runs, and its line.
        """

        async def wait_for_godot() -> None:
            await asyncio.Event().wait()

        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(wait_for_godot(), name="vladimir")
                group.create_task(wait_for_godot(), name="estragon")

        with pytest.raises(DeadlockError) as caught:
            loop.run_until_complete(main())
        told = str(caught.value)
        here = __file__.replace("\\", "/")
        assert all(name in told for name in ("vladimir", "estragon", "wait_for_godot at"))
        assert here in told.replace("\\", "/")
        cancel_all(loop)

    def test_livelock_is_told(self, clock: VirtualClock, loop: VirtualLoop) -> None:
        """
        A task that yields for ever raises when the time stands still for too long.
        """
        clock.most_steps = 500

        with pytest.raises(LivelockError, match="500 iterations"):
            loop.run_until_complete(spin())
        cancel_all(loop)

    def test_spinning_timer_is_a_livelock(self, clock: VirtualClock, loop: VirtualLoop) -> None:
        """
        A timer armed again a billionth of a second later each time is not time moving.
        """
        clock.most_steps = 500

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

    def test_descriptor_that_is_always_ready_is_a_livelock(
        self, clock: VirtualClock, loop: VirtualLoop
    ) -> None:
        """
        A descriptor that nobody reads from does not keep time from moving without a word.
        """
        clock.most_steps = 500
        left, right = socket.socketpair()
        with left, right:
            right.send(b"x")
            loop.add_reader(left, lambda: None)
            ready = rf"time stands still, with file descriptors \[{left.fileno()}\] always ready"
            with pytest.raises(LivelockError, match=ready):
                loop.run_until_complete(asyncio.sleep(3600))
            loop.remove_reader(left)
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

    def test_readers_and_writers(self, loop: VirtualLoop) -> None:
        """
        A socket may be watched for reading and writing at once, and for neither again.
        """
        left, right = socket.socketpair()
        with left, right:
            seen: list[str] = []

            def write() -> None:
                seen.append("write")
                loop.remove_writer(left)

            right.send(b"x")
            loop.add_reader(left, lambda: seen.append(left.recv(1).decode()))
            loop.add_writer(left, write)
            loop.call_later(0.01, loop.stop)
            loop.run_forever()
            assert sorted(seen) == ["write", "x"]
            assert loop.remove_reader(left)

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
    def test_real_child_processes_work(self, clock: VirtualClock, loop: VirtualLoop) -> None:
        """
        A child process is awaited, and virtual time does not run away meanwhile.
        """
        clock.patience = 20

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
    def test_observer_is_told_of_each_callback(self, loop: VirtualLoop) -> None:
        """
        An observer hears of each callback just before it runs, once, in order.
        """
        seen: list[object] = []
        watch = Watch(loop, seen.append)
        watch.start()
        loop.call_soon(seen.append, "a")
        loop.call_soon(seen.append, "b").cancel()
        loop.call_soon(seen.append, "c")
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert seen == [1, "a", 2, "c", 3]

    def test_sets_of_tasks_have_one_order(self) -> None:
        """
        A set of tasks, such as a task group's, has the same order on each run.
        """

        async def main() -> list[str]:
            seen: list[str] = []

            async def child(name: str) -> None:
                try:
                    await asyncio.sleep(1)
                finally:
                    seen.append(name)

            with pytest.raises(ExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    for number in range(30):
                        group.create_task(child(str(number)))
                    await asyncio.sleep(0)
                    raise ValueError
            return seen

        first = VirtualClock().run(main())
        ballast = [object() for _ in range(1000)]
        assert all(VirtualClock().run(main()) == first for _ in ballast[:5])

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

        assert VirtualClock().run(main(), eager=True)
        assert not VirtualClock().run(main())


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
