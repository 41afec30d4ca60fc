"""
The steps of a clean-up: their order, their time, and what cuts them short.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import SessionClosed, Supervisor, current_session, session
from tests.bodies import LONG, deaf, noted, sweep, until_cancelled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sessionstate.testing import VirtualClock

pytestmark = pytest.mark.virtual_time


@pytest.fixture
async def ten(start_supervisor: Any) -> Supervisor:
    """
    Give a supervisor whose clean-ups have ten seconds.
    """
    supervisor: Supervisor = await start_supervisor(close_timeout=10)
    return supervisor


class TestOrder:
    async def test_tasks_first_then_last_in_first_out(
        self, supervisor: Supervisor, log: list[str]
    ) -> None:
        """
        Hooks come first, then all tasks at once, then the other steps, last in, first out.
        """

        @contextmanager
        def plain() -> Iterator[None]:
            yield
            log.append("context")

        @asynccontextmanager
        async def hosted() -> AsyncIterator[None]:
            yield
            await asyncio.sleep(0)
            log.append("async context")

        supervisor.on_close(lambda s, reason: log.append(f"hook {reason}"))
        async with session("a") as s:
            s.callback(log.append, "first")
            s.start_soon(until_cancelled, log, "slow task", 0.2)
            s.enter_context(plain())
            await s.enter_async_context(hosted())
            s.start_soon(until_cancelled, log, "task", 0.1)
            s.push_async_callback(noted, log, "async")
            s.callback(log.append, "last")
            await asyncio.sleep(0)
        assert log == [
            "hook completed",
            *("task", "slow task", "last", "async begins", "async", "async context", "context"),
            "first",
        ]

    async def test_callbacks_added_meanwhile(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        A callback that is added by a clean-up runs next; nothing else is accepted any more.
        """

        async def clean() -> None:
            assert current_session() is s
            s.callback(log.append, "added")
            with pytest.raises(SessionClosed):
                s.start_soon(asyncio.sleep, 1)
            with pytest.raises(SessionClosed):
                await s.get_or_create("key", deaf)  # type: ignore[arg-type]
            log.append("clean")

        async with session("a") as s:
            s.callback(log.append, "first")
            s.push_async_callback(clean)
        assert log == ["clean", "added", "first"]

    async def test_popped_before_it_runs(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        A callback that ends its own session, or is taken back while it runs, runs once.
        """

        def clean() -> None:
            log.append("clean")
            assert not s.close_soon()
            assert not handle.cancel()

        async with session("a") as s:
            handle = s.callback(clean)
        assert log == ["clean"]

    async def test_who_ends_it_is_outside(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        Whoever ended a session is not in it afterwards, though its clean-up has begun there.
        """
        s = await supervisor.open("a")
        s.start_soon(until_cancelled, log, "task", 1)
        await asyncio.sleep(0)
        s.close_soon()
        with pytest.raises(RuntimeError, match="there is no current session"):
            current_session()
        await s.wait_closed()
        assert log == ["task"]

    async def test_slow_tasks_are_waited_for(self, ten: Supervisor, log: list[str]) -> None:
        """
        The other steps begin when every owned task has ended; current_session() is theirs.
        """

        async def work() -> None:
            try:
                await asyncio.sleep(LONG)
            finally:
                await asyncio.sleep(1)
                log.append(f"task in {current_session().id}")

        async with session("a") as s:
            s.callback(lambda: log.append(f"callback in {current_session().id}"))
            s.start_soon(work)
            s.start_soon(until_cancelled, log, "other")
            await asyncio.sleep(0)
        assert log == ["other", "task in a", "callback in a"]


class TestSweeps:
    async def test_all_tasks_does_not_show_a_clean_up(
        self, supervisor: Supervisor, log: list[str]
    ) -> None:
        """
        A sweep over all tasks cuts no clean-up short: no callback, no context, no hook.
        """

        @asynccontextmanager
        async def hosted() -> AsyncIterator[None]:
            yield
            await asyncio.sleep(0.5)
            log.append("context")

        supervisor.on_close(lambda s, reason: noted(log, "hook", 0.5))
        s = await supervisor.open("a")
        s.push_async_callback(noted, log, "callback", 0.5)
        await s.enter_async_context(hosted())
        s.close_soon()
        await asyncio.sleep(0.05)  # so as to look between the steps
        for _ in range(16):
            await asyncio.sleep(0.1)
            hosts = {each for each in asyncio.all_tasks() if each.get_name().startswith("a: ")}
            assert len(hosts) == (log == ["hook begins"])  # the context's, before its turn
        assert log == ["hook begins", "hook", "context", "callback begins", "callback"]
        assert s.state == "closed"

    @pytest.mark.parametrize("times", [1, 3])
    async def test_cancelled_before_its_first_step(
        self, supervisor: Supervisor, log: list[str], times: int
    ) -> None:
        """
        A clean-up step whose task dies before it began is begun again, and runs once.
        """
        s = await supervisor.open("a")
        s.push_async_callback(noted, log, "one")
        s.close_soon()
        for _ in range(times):
            while not sweep("a: async callback"):  # noqa: ASYNC110
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        await s.wait_closed()
        assert log == ["one begins", "one"]
        assert supervisor.statistics().clean_up_errors == 0

    async def test_cancelled_in_the_middle(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        A step that somebody digs out and cancels is reported, and the next one runs.
        """
        s = await supervisor.open("a")
        s.push_async_callback(noted, log, "two")
        s.push_async_callback(noted, log, "one", 1)
        closing = asyncio.create_task(s.aclose())
        await asyncio.sleep(0.5)
        assert sweep("a: async callback") == 1
        with pytest.raises(ExceptionGroup) as caught:
            await closing
        assert caught.group_contains(RuntimeError, match="was cut short by CancelledError")
        assert log == ["one begins", "two begins", "two"]

    async def test_context_that_crashes_before_its_turn(
        self, supervisor: Supervisor, log: list[str]
    ) -> None:
        """
        A context that crashes while an earlier step still runs is an error of the clean-up.
        """

        async def crash() -> None:
            await asyncio.sleep(1.5)
            raise ZeroDivisionError

        s = await supervisor.open("a")
        group = await s.enter_async_context(asyncio.TaskGroup())
        group.create_task(crash())
        s.push_async_callback(noted, log, "callback", 1)
        await asyncio.sleep(1)
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert caught.group_contains(ZeroDivisionError)
        assert log == ["callback begins", "callback"]


class TestTime:
    async def test_half_of_what_is_left(
        self, ten: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A step but the last gets half of what is left: cancelled at 80 %, abandoned after it.
        """
        begun: list[float] = []
        asked: list[float] = []

        async def hang() -> None:
            begun.append(clock.now)
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                asked.append(clock.now)
                await deaf(LONG, log)

        s = await ten.open("a")
        for _ in range(3):
            s.push_async_callback(hang)
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert begun == [0, 5, 7.5]
        assert asked == pytest.approx([4, 7, 9.5])
        assert clock.now == pytest.approx(10)
        assert len(caught.value.exceptions) == 3
        assert caught.group_contains(TimeoutError, match="did not end in time, and was abandoned")
        assert ten.statistics().abandoned == 3
        await asyncio.sleep(2 * LONG)
        assert log == ["deaf"] * 3

    async def test_cancelled_step_ends(
        self, ten: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A step that ends when it is cancelled is an error, but not abandoned; the rest runs.
        """
        s = await ten.open("a")
        s.callback(log.append, "rest")
        s.push_async_callback(asyncio.sleep, LONG)
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert caught.group_contains(TimeoutError, match="took too long, and was cancelled")
        assert (clock.now, log, ten.statistics().abandoned) == (4, ["rest"], 0)

    async def test_step_that_ends_well_after_all(
        self, ten: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A step that swallows its cancellation and ends within its share is no error.
        """
        s = await ten.open("a")
        s.push_async_callback(deaf, 9, log)
        await s.aclose()
        assert (clock.now, log) == (9, ["deaf"])

    async def test_hook_does_not_take_the_tasks_time(
        self, ten: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A hook that hangs leaves half of the time to the owned tasks, though no other step is left.
        """

        async def hang(*_: object) -> None:
            await deaf(LONG)

        ten.on_close(hang)
        s = await ten.open("a")
        s.start_soon(until_cancelled, log, "task", 3)
        await asyncio.sleep(0)
        with pytest.raises(ExceptionGroup):
            await s.aclose()
        assert log == ["task"]
        assert clock.now == 8
        await asyncio.sleep(LONG)

    async def test_deaf_tasks(self, ten: Supervisor, clock: VirtualClock, log: list[str]) -> None:
        """
        Owned tasks share one step: those that do not end are cancelled again, then abandoned.
        """
        s = await ten.open("a")
        s.push_async_callback(noted, log, "rest")
        s.start_soon(deaf, LONG)
        s.start_soon(deaf, 2, log)
        s.start_soon(until_cancelled, log, "again", LONG)
        await asyncio.sleep(0)
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert clock.now == 5
        assert log == ["deaf", "rest begins", "rest"]
        assert len(caught.value.exceptions) == 1
        assert ten.statistics().abandoned == 1
        await asyncio.sleep(LONG)

    async def test_deaf_context(self, ten: Supervisor, clock: VirtualClock, log: list[str]) -> None:
        """
        A context that hangs while it is left is abandoned, and the steps before it run.
        """

        @asynccontextmanager
        async def hosted() -> AsyncIterator[None]:
            yield
            await deaf(LONG)

        s = await ten.open("a")
        s.push_async_callback(noted, log, "rest")
        await s.enter_async_context(hosted())
        with pytest.raises(ExceptionGroup):
            await s.aclose()
        assert (clock.now, log) == (5, ["rest begins", "rest"])
        await asyncio.sleep(LONG)

    async def test_least(self, ten: Supervisor, clock: VirtualClock, log: list[str]) -> None:
        """
        When the time is used up, each step still starts, and gets one percent of it.
        """
        s = await ten.open("a")
        s.push_async_callback(noted, log, "quick", 0.05)
        s.push_async_callback(deaf, LONG)
        s.callback(s.push_async_callback, deaf, LONG)
        for _ in range(12):
            s.push_async_callback(deaf, LONG)
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert log == ["quick begins", "quick"]
        assert 10 < clock.now < 11
        assert len(caught.value.exceptions) == 14
        await asyncio.sleep(LONG)

    async def test_no_limit(self, start_supervisor: Any, clock: VirtualClock) -> None:
        """
        Without close_timeout a clean-up takes what it needs.
        """
        supervisor = await start_supervisor(close_timeout=None)
        s = await supervisor.open("a")
        s.push_async_callback(asyncio.sleep, LONG)
        s.push_async_callback(asyncio.sleep, LONG)
        await s.aclose()
        assert clock.now == 2 * LONG


class TestEager:
    async def test_task_that_ends_its_session_as_it_starts(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        An owned task is cancelled with its session even if that ends in the task's first step.
        """

        async def work() -> None:
            s.close_soon()
            await until_cancelled(log, "task")

        loop = asyncio.get_running_loop()
        factory = loop.get_task_factory()
        loop.set_task_factory(getattr(asyncio, "eager_task_factory", None))
        try:
            s = await supervisor.open("a")
            s.start_soon(work)
        finally:
            loop.set_task_factory(factory)
        await s.wait_closed()
        assert (clock.now, log) == (0, ["task"])
