"""
What went wrong once: ends that never came, and work or memory that grew with the number of all.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import Session, SessionClosed, Supervisor
from sessionstate._deadlines import CHUNK
from sessionstate.testing import VirtualClock
from tests.conftest import StartSupervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


EMPTY = sys.getsizeof({})
"""Bytes of a dict without a table."""


def no_context(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any]) -> Any:
    """
    Be a task factory of before Python 3.11: it takes no context.
    """
    return asyncio.Task(coro, loop=loop)


async def nothing() -> int:
    """
    Be work that is done at once.
    """
    return 1


class TestTaskThatCannotBegin:
    async def test_leaves_nothing_to_wait_for(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A task that the loop refuses to create is raised to the caller, and the session forgets it.
        """
        session = await supervisor.open("a")
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        loop.set_task_factory(no_context)
        try:
            with pytest.raises(TypeError, match="context"):
                session.start_soon(nothing)
        finally:
            loop.set_task_factory(before)
        assert await supervisor.close("a")
        assert (session.state, clock.now) == ("closed", 0)
        assert supervisor.statistics().clean_up_errors == 0

    async def test_a_load_can_be_asked_for_again(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A load whose task the loop refuses is gone: who asks next begins another.
        """
        session = await supervisor.open("a")
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        loop.set_task_factory(no_context)
        try:
            with pytest.raises(TypeError, match="context"):
                await session.get_or_create("key", nothing)
        finally:
            loop.set_task_factory(before)
        async with asyncio.timeout(10):
            assert await session.get_or_create("key", nothing) == 1
            assert await supervisor.close("a")
        assert clock.now == 0

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
    def test_eager_exit(self) -> None:
        """
        An eager task that exits in its first step leaves nothing for the clean-up to wait for.
        """

        async def leave() -> None:
            raise SystemExit(3)

        async def main() -> None:
            loop = asyncio.get_running_loop()
            async with Supervisor(close_timeout=1, shutdown_timeout=3) as supervisor:
                session = await supervisor.open("a")
                with pytest.raises(SystemExit):
                    session.start_soon(leave)
                async with asyncio.timeout(10):
                    await session.aclose()
                assert session.state == "closed"
            assert loop.time() == 0

        VirtualClock().run(main(), eager=True)


class TestLongChain:
    async def test_leaving_ends_in_time(
        self, clock: VirtualClock, loop_errors: list[dict[str, Any]]
    ) -> None:
        """
        Clean-ups that end each other too deep for the stack never outlive `shutdown_timeout`.
        """

        def link(supervisor: Supervisor, number: int) -> Callable[[], object]:
            return lambda: supervisor.close_soon(str(number + 1))

        sessions: list[Session] = []
        async with Supervisor(max_sessions=None, shutdown_timeout=50) as supervisor:
            for number in range(400):
                sessions.append(await supervisor.open(str(number)))
                sessions[-1].callback(link(supervisor, number))
            sessions[0].close_soon()
        assert clock.now <= 50
        assert {each.state for each in sessions} == {"closed"}
        loop_errors.clear()


class TestEmptiedChunks:
    async def test_those_left_by_visits_keep_no_table(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A visit moves a session to a later tick; what all have left holds no memory.
        """
        supervisor = await start_supervisor(max_sessions=None, idle_timeout=1800)
        for number in range(100):
            await supervisor.open(str(number))
        for _ in range(50):
            await clock.advance(8)
            for id in supervisor:
                async with supervisor.attach(id):
                    pass
        _check_tables(supervisor)

    async def test_those_of_the_evicted_do_not_pile_up(
        self, start_supervisor: StartSupervisor
    ) -> None:
        """
        However many sessions made room for others, memory is held for those that live.
        """
        most = CHUNK + 100
        supervisor = await start_supervisor(max_sessions=most, idle_timeout=None)
        for number in range(5 * CHUNK):
            await supervisor.open(str(number))
        assert len(supervisor) == most
        _check_tables(supervisor)
        assert sum(map(len, supervisor._expiry.idle._ticks.values())) <= 3


def _check_tables(supervisor: Supervisor) -> None:
    chunks = [each for tick in supervisor._expiry.idle._ticks.values() for each in tick]
    assert max((sys.getsizeof(each) for each in chunks if not each), default=0) <= EMPTY
    supervisor._check()


async def calls_of_an_end(supervisor: Supervisor, kind: str, holders: int) -> int:
    """
    Count the calls that are made to end one session with so many holders.
    """

    async def hold() -> None:
        try:
            async with getattr(supervisor, kind)("a"):
                await asyncio.sleep(1000)
        except SessionClosed:
            pass

    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    tasks = [asyncio.create_task(hold()) for _ in range(holders)]
    await asyncio.sleep(1)
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        await supervisor.close("a")
        await asyncio.gather(*tasks)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.virtual_time
class TestManyHolders:
    @pytest.mark.parametrize("kind", ["attach", "session"])
    async def test_an_end_costs_each_the_same(self, supervisor: Supervisor, kind: str) -> None:
        """
        The end of a session costs each of its holders the same, however many they are.
        """
        few = await calls_of_an_end(supervisor, kind, 200)
        many = await calls_of_an_end(supervisor, kind, 1600)
        assert many < 1.5 * 8 * few


@pytest.mark.virtual_time
class TestLoadsOfLoads:
    @pytest.mark.parametrize("width", [1, 2])
    async def test_a_late_asker_is_answered(
        self, supervisor: Supervisor, clock: VirtualClock, width: int
    ) -> None:
        """
        Whether a load would wait for itself is found in one walk over a thousand layers.
        """
        session = await supervisor.open("a")
        go = asyncio.Event()

        async def ask(layer: int, place: int) -> int:
            async def make() -> int:
                await asyncio.sleep(0)  # eager tasks would pile up on one stack
                if layer == 1000:
                    await go.wait()
                    return 1
                return max(await asyncio.gather(*(ask(layer + 1, each) for each in range(width))))

            return await session.get_or_create((layer, place), make)

        first = asyncio.create_task(ask(0, 0))
        await clock.advance(1)
        late = asyncio.create_task(session.get_or_create("late", lambda: ask(0, 0)))
        await clock.advance(1)
        go.set()
        assert await asyncio.gather(first, late) == [1, 1]


class TestOwnerInsideAVisitor:
    async def test_does_not_wait_for_its_own_task(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        An owner that leaves inside a visitor of the same task does not wait, as that is inside yet.
        """
        with pytest.raises(SessionClosed):
            async with supervisor.attach("a"):
                async with supervisor.session("a"):
                    pass
                assert clock.now == 0
                await asyncio.sleep(10)
        assert (clock.now, supervisor.statistics().stuck) == (0, 0)


class TestContextThatIsCancelledFromOutside:
    async def test_its_task_does_not_raise(self, supervisor: Supervisor) -> None:
        """
        A sweep over all tasks ends the session, and leaves no task for the runner to complain of.
        """
        session = await supervisor.open("a")
        await session.enter_async_context(Entered())
        (task,) = [each for each in asyncio.all_tasks() if "context" in each.get_name()]
        task.cancel()
        assert await session.wait_closed() == "resource_failed"
        assert task.exception() is None


class Entered:
    """
    Be a context of which nothing is asked.
    """

    async def __aenter__(self) -> None:
        """
        Do nothing.
        """

    async def __aexit__(self, *exc: object) -> None:
        """
        Do nothing.
        """
