"""
`explore`: which awaits are made to fail, and what comes of it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest

from sessionstate import Supervisor
from sessionstate.testing import ExplorationError, Injected, Mode, ScenarioError, explore
from tests.planted import Book, all_given_back

# Each run has a virtual loop of its own: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time

Start = Callable[[Callable[[], Any]], Awaitable[None]]

Hit = set[str]


async def _by_create_task(work: Callable[[], Any]) -> None:
    await asyncio.create_task(work())


async def _by_task(work: Callable[[], Any]) -> None:
    await asyncio.Task(work())


async def _by_gather(work: Callable[[], Any]) -> None:
    await asyncio.gather(work(), asyncio.sleep(3))


async def _by_group(work: Callable[[], Any]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(work())


async def _by_anyio(work: Callable[[], Any]) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(work)


async def _by_wait_for(work: Callable[[], Any]) -> None:
    await asyncio.wait_for(work(), 5)


async def _by_session(work: Callable[[], Any]) -> None:
    async with Supervisor(default=False) as supervisor, supervisor.session("it") as session:
        session.start_soon(work)
        await asyncio.sleep(5)


STARTS = [_by_create_task, _by_task, _by_gather, _by_group, _by_anyio, _by_wait_for, _by_session]


def reached(scenario: Callable[..., Any], **options: Any) -> int:
    """
    Return how many awaits of *scenario* are made to fail; whatever comes of it is in order.
    """
    explored = explore(scenario, modes=["throw"], ignore=["."], **options)
    return explored.runs.get(Mode.THROW, 0)


class TestThrow:
    @pytest.mark.parametrize("start", STARTS)
    def test_reaches_every_task(self, start: Start) -> None:
        """
        The awaits of every task fail, however the scenario starts it, each once.
        """
        hit: list[str] = []

        async def work() -> None:
            for number in range(2):
                try:
                    await asyncio.sleep(number)
                except Injected:
                    hit.append(f"await {number}")
                    raise

        async def scenario() -> None:
            await start(work)

        reached(scenario)
        # One run of ten is made twice, the first too.
        assert sorted(dict.fromkeys(hit)) == ["await 0", "await 1"]
        assert len(hit) <= 4

    def test_finds_what_a_child_loses(self) -> None:
        """
        A clean-up that is lost to an error in a child task is found, and told where.
        """

        async def child(book: Book) -> None:
            book.append("it")
            await asyncio.sleep(1)
            book.clear()

        async def scenario(book: Book) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(child(book))

        explore(scenario, setup=list, modes=["throw"])
        with pytest.raises(ExplorationError, match=r"lost: \['it'\]") as caught:
            explore(scenario, all_given_back, setup=list, modes=["throw"])
        (failure,) = caught.value.exploration.failures
        assert failure.where.endswith(f"_throw.py:{child.__code__.co_firstlineno + 2}")

    def test_error_that_nobody_asks_for(self) -> None:
        """
        An error in a task that nobody asks for is lost, which is a problem.
        """

        async def forgetful() -> None:
            await asyncio.wait([asyncio.create_task(asyncio.sleep(1))])

        with pytest.raises(ExplorationError, match=r"never retrieved \(Injected\('injected into"):
            explore(forgetful, modes=["throw"])

    def test_hangs(self) -> None:
        """
        A scenario that spins after an error hangs, and where the error came is told all the same.
        """

        async def spins() -> None:
            try:
                await asyncio.sleep(1)
            except Injected:
                while True:  # noqa: ASYNC110 - spinning is the point
                    await asyncio.sleep(0)

        for options in ({"modes": ["throw"]}, {"only": "throw@1"}):
            with pytest.raises(ExplorationError, match="it hangs: livelock") as caught:
                explore(spins, repeatable=False, **options)  # type: ignore[arg-type]
            (failure,) = caught.value.exploration.failures
            assert failure.where.endswith(f"_throw.py:{spins.__code__.co_firstlineno + 2}")

    def test_tasks_keep_their_own(self) -> None:
        """
        A task that is driven is what it was: its coroutine, its name and its place are its own.
        """
        seen: list[object] = []

        async def child() -> None:
            await asyncio.sleep(1)

        async def scenario() -> None:
            coro = child()
            task = asyncio.create_task(coro, name="mine")
            await asyncio.sleep(0)
            seen.append((task.get_coro() is coro, task.get_name()))
            await task

        explore(scenario, modes=["throw"])
        assert set(seen) == {(True, "mine")}

    def test_tasks_of_the_setup_are_spared(self) -> None:
        """
        Only what the scenario starts fails: no task that its setup made.
        """
        failed: list[str] = []

        @asynccontextmanager
        async def setup() -> AsyncIterator[None]:
            async def beside() -> None:
                try:
                    await asyncio.sleep(0.5)
                except Injected:
                    failed.append("beside")

            task = asyncio.create_task(beside())
            yield
            await task

        async def scenario() -> None:
            await asyncio.sleep(1)

        assert reached(scenario, setup=setup) == 1
        assert not failed

    def test_sleeps_of_libraries_never_fail(self) -> None:
        """
        A sleep fails where somebody's own code calls it, in a task group too; not in a library.
        """

        async def own() -> None:
            await asyncio.sleep(0)
            await anyio.sleep(1)
            await anyio.lowlevel.checkpoint()
            with suppress(Injected):
                async with anyio.create_task_group() as group:
                    group.start_soon(asyncio.sleep, 1)

        assert reached(own) == 2

    def test_cancelled_awaits_are_not_counted(self) -> None:
        """
        An await that fails or is cancelled by itself is none that can be made to fail.
        """

        async def scenario() -> None:
            task = asyncio.create_task(asyncio.sleep(10))
            await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            failed = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(failed.set_exception, LookupError())
            with suppress(LookupError):
                await failed

        assert reached(scenario) == 1

    def test_cancelled_as_it_wakes(self) -> None:
        """
        A task that is cancelled as it wakes is to be cancelled: nothing is thrown into it.
        """

        async def scenario() -> None:
            loop = asyncio.get_running_loop()
            task = asyncio.create_task(asyncio.sleep(1))
            loop.call_later(1, loop.call_soon, task.cancel)
            await asyncio.wait([task])
            assert task.cancelled()

        explore(scenario, modes=["throw", "cancel"])

    def test_sleeping_not_at_all_can_be_cancelled(self) -> None:
        """
        A loop that only sleeps zero seconds is cancelled by a scope as ever.
        """

        async def spin() -> None:
            while True:  # noqa: ASYNC110 - spinning is the point
                await asyncio.sleep(0)

        async def scenario() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(spin)
                await asyncio.sleep(0)
                group.cancel_scope.cancel()

        explore(scenario, modes=["throw", "cancel"])

    def test_waits_inside_a_generator(self) -> None:
        """
        A wait is judged by where it is, inside of asynchronous generators too.
        """

        @asynccontextmanager
        async def locked(lock: asyncio.Lock) -> AsyncIterator[None]:
            async with lock:
                yield

        async def values() -> AsyncIterator[int]:
            yield 1
            await asyncio.sleep(1)
            yield 2

        async def holder(lock: asyncio.Lock) -> None:
            async with lock:
                await asyncio.get_running_loop().create_task(asyncio.sleep(1))

        async def waits() -> None:
            lock = asyncio.Lock()
            await asyncio.gather(holder(lock), holder_in_a_context(lock))

        async def holder_in_a_context(lock: asyncio.Lock) -> None:
            async with locked(lock):
                pass

        async def reads() -> None:
            given = values()
            await anext(given)
            await anext(given, None)

        # The sleep, whoever waits for its task, and whoever waits for both.
        assert reached(waits) == 3
        assert reached(reads) == 1

    def test_files_and_threads_of_anyio(self) -> None:
        """
        What anyio waits for outside of the program fails: a thread, a socket.
        """
        hit: Hit = set()

        async def marked(name: str, awaitable: Awaitable[Any]) -> None:
            try:
                await awaitable
            except Injected:
                hit.add(name)
                raise

        async def thread() -> None:
            await marked("thread", anyio.to_thread.run_sync(int))

        async def answer(stream: Any) -> None:
            async with stream:
                await stream.send(b"x")

        async def socket() -> None:
            async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
                port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - not Django's
                async with anyio.create_task_group() as group:
                    group.start_soon(listener.serve, answer)
                    async with await anyio.connect_tcp("127.0.0.1", port) as client:
                        await marked("socket", client.receive())
                    group.cancel_scope.cancel()

        for scenario in (thread, socket):
            reached(scenario, repeatable=False)
        assert hit == {"thread", "socket"}

    def test_waiting_with_a_limit(self) -> None:
        """
        With a limit, it is the await within that fails, and nothing is left behind.
        """

        async def scenario() -> None:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(1, future.set_result, None)
            await asyncio.wait_for(future, 5)

        async def limited() -> None:
            await asyncio.wait_for(asyncio.sleep(1), 5)

        assert explore(limited, modes=["throw"]).runs == {Mode.THROW: 1}
        if sys.version_info >= (3, 12):
            assert reached(scenario) == 1
        else:
            with pytest.raises(ScenarioError, match="has no point for throw"):
                reached(scenario)

    def test_what_is_to_be_closed(self) -> None:
        """
        An await that gives something to be closed never fails: nobody could close it then.
        """

        class Line:
            def __init__(self) -> None:
                lines.append(self)

            async def aclose(self) -> None:
                lines.remove(self)

        lines: list[Line] = []

        async def dial() -> Line:
            await asyncio.sleep(1)
            return Line()

        async def scenario() -> None:
            line = await asyncio.create_task(dial())
            await line.aclose()
            (line,) = await asyncio.gather(dial())
            await line.aclose()

        def check() -> None:
            assert not lines

        explored = explore(scenario, check, modes=["throw"])
        assert explored.runs == {Mode.THROW: 2}  # the sleeps, and no await of what was dialled
