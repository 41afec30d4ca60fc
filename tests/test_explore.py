"""
`explore`: each way to disturb finds the defect that was planted for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus

from sessionstate.testing import ExplorationError, Mode, explore
from sessionstate.testing._order import scopes_in_order
from sessionstate.testing._points import Course, points
from tests.planted import (
    Book,
    all_given_back,
    expects_cancellation_only,
    expects_to_be_read_to_its_end,
    good,
    helper,
    one_of_two,
    trusts_a_task,
    waits_before_registering,
    waits_in_the_clean_up,
)

# Each run has a virtual loop of its own: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time

DEFECTS: list[tuple[Callable[[Book], Any], list[Mode], list[Mode]]] = [
    (waits_before_registering, [Mode.CANCEL], []),
    (waits_in_the_clean_up, [Mode.TWICE], [Mode.CANCEL, Mode.ALL]),
    (waits_in_the_clean_up, [Mode.SCOPE], [Mode.CANCEL]),
    (trusts_a_task, [Mode.EACH], [Mode.CANCEL, Mode.TWICE, Mode.SCOPE]),
    (trusts_a_task, [Mode.THROW], [Mode.CANCEL, Mode.TWICE, Mode.SCOPE]),
    (one_of_two, [Mode.ALL], [Mode.CANCEL, Mode.TWICE, Mode.SCOPE, Mode.EACH]),
    (expects_cancellation_only, [Mode.THROW], [m for m in Mode if m is not Mode.THROW]),
    (expects_to_be_read_to_its_end, [Mode.ABANDON], [m for m in Mode if m is not Mode.ABANDON]),
]


class TestModes:
    @pytest.mark.parametrize(("scenario", "finds", "misses"), DEFECTS)
    def test_finds_what_it_is_there_for(
        self, scenario: Callable[[Book], Any], finds: list[Mode], misses: list[Mode]
    ) -> None:
        """
        A clean-up that is lost in one way only is found by that way, and passes the others.
        """
        if misses:
            explore(scenario, all_given_back, setup=list, modes=misses)
        with pytest.raises(ExplorationError, match=r"check: AssertionError: lost: \['it'\]"):
            explore(scenario, all_given_back, setup=list, modes=finds)

    def test_a_good_one_passes_all(self) -> None:
        """
        What gives back whatever happens passes every mode, and the numbers are told.
        """
        explored = explore(good, all_given_back, setup=list)
        # Two sleeps: the first step, and for each its timer and the step after that.
        assert (explored.scenario, explored.steps) == ("good", 5)
        assert explored.points == {**explored.runs, Mode.ABANDON: 0}
        assert dict(explored.runs) == {
            Mode.CANCEL: 5,
            Mode.TWICE: 6,  # cancelled once it ends soon
            Mode.EACH: 5,
            Mode.ALL: 9,  # after its end, the steps until time has gone by
            Mode.SCOPE: 5,
            Mode.THROW: 2,
        }
        assert explored.failures == ()

    def test_the_setup_is_not_disturbed(self) -> None:
        """
        Whoever is cancelled one by one, the task in which the setup lives is not.
        """
        cancelled: list[str] = []

        @asynccontextmanager
        async def setup() -> AsyncIterator[Book]:
            try:
                yield []
            except asyncio.CancelledError:
                cancelled.append("setup")
                raise

        explore(good, setup=setup, modes=[m for m in Mode if m is not Mode.ALL])
        assert not cancelled

    def test_tasks_of_libraries_are_cancelled(self) -> None:
        """
        A task that somebody made without the loop, and which `all_tasks` does not show, is one.
        """

        async def hides(book: Book) -> None:
            book.append("it")
            task = asyncio.Task(helper(book))
            asyncio._unregister_task(task)
            await asyncio.sleep(2)

        with pytest.raises(ExplorationError, match="lost"):
            explore(hides, all_given_back, setup=list, modes=["each"])
        explore(hides, all_given_back, setup=list, modes=["cancel", "all"])

    def test_nothing_is_thrown_where_nothing_can_come(self) -> None:
        """
        No error is thrown out of what only a cancellation ends, such as waiting for a lock.
        """

        async def queues() -> None:
            queue: asyncio.Queue[int] = asyncio.Queue()
            asyncio.get_running_loop().call_later(1, queue.put_nowait, 1)
            async with asyncio.Lock():
                await queue.get()
            await asyncio.sleep(1)

        assert explore(queues, modes=["throw"]).points == {Mode.THROW: 1}

    def test_scopes_of_anyio_have_one_order(self) -> None:
        """
        A cancelled scope of anyio's reaches the scopes inside of it in the same order on each run.
        """

        async def serve(*, task_status: TaskStatus[None]) -> None:
            task_status.started()
            await asyncio.sleep(10)

        async def grouped(ballast: list[object]) -> None:
            ballast += [object() for _ in range(100)]
            async with anyio.create_task_group() as group:
                for _ in range(5):
                    await group.start(serve)
                    group.start_soon(asyncio.sleep, 10)
                await asyncio.sleep(1)
                group.cancel_scope.cancel()

        for _ in range(5):
            explore(grouped, setup=list, modes="cancel", most=1)

    async def test_scopes_are_kept_as_in_a_set(self) -> None:
        """
        What keeps scopes in order does what a set does, as far as anyio asks it to.
        """
        with scopes_in_order():
            scopes: Any = anyio.CancelScope()
        kept = scopes._child_scopes
        for number in (3, 1, 3, 2):
            kept.add(number)
        assert list(kept) == [3, 1, 2]
        kept.remove(3)
        kept.discard(1)
        kept.discard(1)
        with pytest.raises(KeyError):
            kept.remove(1)
        assert list(kept) == [2]

    def test_all_pairs_up_to_sixty_steps(self) -> None:
        """
        The second cancellation comes at each step that is left after the first, or at some of many.
        """

        def gaps(left: int) -> list[int]:
            course = Course(steps=1, tasks=[1], awaits=1, values=0, cancelled=[1 + left])
            return [point.gap for point in points(Mode.TWICE, course)]

        assert gaps(0) == [0]
        assert gaps(60) == list(range(61))
        assert gaps(61) == [0, 1, 2, 3, 5, 8, 13, 21, 34, 55]

    def test_second_cancellation_in_a_long_clean_up(self) -> None:
        """
        The second cancellation reaches a clean-up that takes longer than the undisturbed scenario.
        """

        async def long_clean_up(book: Book) -> None:
            book.append("it")
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                for _ in range(20):
                    await asyncio.sleep(0)
                book.clear()
                raise
            book.clear()

        with pytest.raises(ExplorationError) as caught:
            explore(long_clean_up, all_given_back, setup=list, modes=["twice"])
        found = {str(failure.point) for failure in caught.value.exploration.failures}
        assert found >= {f"twice@2+{gap}" for gap in range(2, 21)}
