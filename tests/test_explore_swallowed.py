"""
`explore`: tasks, other than the scenario's own, that swallow a cancellation.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest

from sessionstate.testing import ExplorationError, Failure, Mode, VirtualClock, explore
from sessionstate.testing._swallowed import excuse, never_begun

# Each run has a virtual loop of its own: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time


async def deaf() -> None:
    """
    Go on to the end as if nobody had cancelled it.
    """
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(5)


def found(scenario: Callable[..., Any], *modes: str) -> list[Failure]:
    """
    Return what cancelling each task of *scenario* finds, or what else the *modes* do.
    """
    with pytest.raises(ExplorationError) as caught:
        explore(scenario, modes=modes or ["each"])
    return list(caught.value.exploration.failures)


class TestSwallowed:
    @pytest.mark.skipif(sys.version_info >= (3, 12), reason="mended in Python 3.12")
    def test_wait_for(self) -> None:
        """
        Where Python's own wait loses a cancellation, the message says so, and what to use.
        """

        async def child() -> None:
            await asyncio.sleep(1)

        async def loses() -> None:
            await asyncio.wait_for(child(), 5)

        async def scenario() -> None:
            await asyncio.wait([asyncio.create_task(loses())])

        hint = "Python 3.11's own asyncio.wait_for does so if what it waits for is done at the same"
        for given, who in ((loses, "it swallowed"), (scenario, "loses swallowed")):
            told = [problem for failure in found(given) for problem in failure.problems]
            assert [each for each in told if who in each and hint in each] == told

    def test_in_a_group(self) -> None:
        """
        A task that goes on to its end after a cancellation is told: what it runs, and where.
        """

        async def scenario() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(deaf())

        line = deaf.__code__.co_firstlineno + 5
        for failure in found(scenario):
            (problem,) = failure.problems
            assert problem.startswith("deaf swallowed the cancellation that it got at ")
            assert problem.endswith(f"_swallowed.py:{line}, and went on to its end")
            assert failure.point.task == 1

    def test_blames_whoever_was_waited_for(self) -> None:
        """
        A task that waits for one that swallows is innocent: it was never cancelled.
        """

        async def innocent() -> None:
            await asyncio.create_task(deaf(), name="guilty")

        async def scenario() -> None:
            await asyncio.wait([asyncio.create_task(innocent())])

        told = [problem for failure in found(scenario) for problem in failure.problems]
        assert told
        assert all(each.startswith("deaf, task 'guilty', swallowed the") for each in told)

    def test_takes_it_back(self) -> None:
        """
        A task that takes its cancellation back, or turns it into an error, has not swallowed it.
        """

        async def takes_back() -> None:
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                assert task is not None
                task.uncancel()

        async def fails() -> None:
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                raise LookupError from None

        async def scenario() -> None:
            tasks = [asyncio.create_task(takes_back()), asyncio.create_task(fails())]
            await asyncio.wait(tasks)
            assert tasks[1].cancelled() or str(tasks[1].exception()) in ("None", "")

        assert explore(scenario, modes=["each"]).runs

    def test_told_to_end(self) -> None:
        """
        A task that ends well when others cancel it may do so though it is cancelled twice.
        """

        async def worker(stopping: list[str]) -> None:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                if not stopping:
                    raise

        async def scenario() -> None:
            stopping: list[str] = []
            task = asyncio.create_task(worker(stopping))
            try:
                await asyncio.sleep(1)
            finally:
                stopping.append("yes")
                task.cancel()
                await asyncio.wait([task])

        assert explore(scenario, modes=["each"]).runs

    def test_limits_shields_and_last_steps(self) -> None:
        """
        Time limits, shields, and a task that has nothing more to wait for swallow nothing.
        """

        async def limited() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await asyncio.sleep(5)
            with anyio.move_on_after(1):
                await asyncio.sleep(5)

        async def shielding() -> None:
            await asyncio.shield(asyncio.create_task(asyncio.sleep(1)))

        async def brief() -> None:
            pass

        async def scenario() -> None:
            async with asyncio.TaskGroup() as group:
                for each in (limited, shielding, brief):
                    group.create_task(each())

        assert explore(scenario, modes=["each"]).runs.keys() == {Mode.EACH}

    def test_tasks_of_libraries(self) -> None:
        """
        What a library runs may end as it likes when it is cancelled.
        """

        async def scenario() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(deaf)

        assert explore(scenario, modes=["each"]).runs

    def test_task_of_anyio_that_never_begins(self) -> None:
        """
        What anyio drops as its task is cancelled before it begins is no problem; all else is.
        """

        async def worker() -> None:
            await asyncio.sleep(1)

        async def forgetful() -> None:
            worker()  # type: ignore[unused-coroutine]

        async def scenario() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(worker)
                group.start_soon(asyncio.sleep, 1)

        async def mistaken() -> None:
            try:
                await scenario()
            except asyncio.CancelledError:
                await forgetful()
                raise

        assert explore(scenario, modes=["each", "all"]).runs
        with pytest.raises(ExplorationError, match="worker' was never awaited"):
            explore(mistaken, only="all@2")

    def test_what_older_groups_of_anyio_run(self) -> None:
        """
        What is to run is found in older versions of anyio, too; nothing if it is no coroutine.
        """

        class TaskGroup:
            async def _run_wrapped_task(self, coro: object) -> None:
                assert coro

        TaskGroup._run_wrapped_task.__qualname__ = "TaskGroup._run_wrapped_task"

        async def scenario() -> None:
            inner = asyncio.sleep(0)
            for given, found in ((inner, [inner]), (3, [])):
                task = asyncio.create_task(TaskGroup()._run_wrapped_task(given))
                assert never_begun(task) == found
                task.cancel()
            await asyncio.sleep(0)
            assert never_begun(task) == []
            inner.close()

        VirtualClock().run(scenario())

    def test_generators(self) -> None:
        """
        The closing of an async generator, in a task of its own, ends as Python pleases.
        """

        async def rows() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                await asyncio.sleep(1)

        async def drops() -> None:
            async for _ in rows():
                break
            await asyncio.sleep(0)

        async def closes() -> None:
            it: Any = rows()
            await anext(it)
            await asyncio.create_task(it.aclose())

        assert explore(drops, modes=["each"]).runs
        if sys.version_info >= (3, 13):
            assert explore(closes, modes=["each"]).runs
        else:
            hint = r"\(the aclose\(\) of an async generator does so before Python 3.13 if it has"
            with pytest.raises(ExplorationError, match=f"it swallowed .* to its end {hint}"):
                explore(closes, only="each@2#0")

    def test_group_whose_task_fails(self) -> None:
        """
        Where a group of asyncio loses a cancellation, the message says so; a scope is no wrong.
        """
        hint = r"\(asyncio.TaskGroup does so before Python 3.13 if one of its tasks fails at the"

        async def fails() -> None:
            await asyncio.sleep(1)
            raise LookupError

        async def scenario() -> None:
            with suppress(ExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    group.create_task(fails())
                    group.create_task(asyncio.sleep(2))

        if sys.version_info >= (3, 13):
            assert explore(scenario, modes=["cancel", "scope"]).runs
        else:
            told = [str(each) for each in found(scenario, "cancel", "scope")]
            assert told
            assert all(re.search(f"(swallowed the|cancelling).*{hint}", each) for each in told)
        assert explore(scenario, only="scope@5").runs

    def test_group_of_anyio(self) -> None:
        """
        Where a group of anyio waits for what its own scope has cancelled, the message says so.
        """

        async def waits() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(asyncio.sleep, 1)

        async def scenario() -> None:
            task: Any = asyncio.create_task(waits())
            await asyncio.sleep(0.5)
            assert excuse(task) == ""
            task.cancel()
            assert "a task group of anyio does so" in excuse(task)
            await asyncio.wait([task])

        VirtualClock().run(scenario())

    @pytest.mark.parametrize("before", [0, 1])
    def test_scope_and_shield(self, before: int) -> None:
        """
        In a shield a scenario may wait on, though the scope around it is cancelled, to its end.
        """

        async def scenario() -> None:
            try:
                for _ in range(before):
                    await anyio.sleep(1)
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(1)

        assert explore(scenario, modes=["scope"]).runs

    def test_scope_and_a_cancellation_of_its_own(self) -> None:
        """
        A scenario may end cancelled if asyncio's cancellation comes together with the scope's.
        """

        async def scenario() -> None:
            task = asyncio.create_task(asyncio.sleep(9))
            await asyncio.sleep(1)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                current = asyncio.current_task()
                assert current is not None
                if current.cancelling():
                    raise

        assert explore(scenario, modes=["scope"]).runs
