"""
`explore`: each way to disturb finds the defect that was planted for it, and each option does its.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus

from sessionstate.testing import (
    Exploration,
    ExplorationError,
    Injected,
    Mode,
    Point,
    ScenarioError,
    explore,
)
from sessionstate.testing._order import scopes_in_order
from sessionstate.testing._points import Course, points

# Each run has a virtual loop of its own: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time

Book = list[str]

eager_only = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="eager tasks came with Python 3.12"
)


def all_given_back(book: Book) -> None:
    """
    Fail if something was taken and not given back.
    """
    assert not book, f"lost: {book}"


async def good(book: Book) -> None:
    """
    Give back whatever happens.
    """
    await asyncio.sleep(1)
    book.append("it")
    try:
        await asyncio.sleep(1)
    finally:
        book.clear()


async def waits_before_registering(book: Book) -> None:
    """
    Lose it to one cancellation.
    """
    book.append("it")
    await asyncio.sleep(1)
    try:
        await asyncio.sleep(1)
    finally:
        book.clear()


async def waits_in_the_clean_up(book: Book) -> None:
    """
    Lose it to a second cancellation, or to a scope that goes on cancelling.
    """
    book.append("it")
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        await asyncio.sleep(1)
        book.clear()
        raise
    book.clear()


async def helper(book: Book) -> None:
    """
    Give back after a while.
    """
    await asyncio.sleep(1)
    book.clear()


async def trusts_a_task(book: Book) -> None:
    """
    Lose it when the helper is cancelled.
    """
    book.append("it")
    task = asyncio.create_task(helper(book))
    await asyncio.wait([task])


async def one_of_two(book: Book) -> None:
    """
    Lose it when both are cancelled that could give it back.
    """
    book.append("it")
    task = asyncio.create_task(helper(book))
    await asyncio.wait([task])
    book.clear()


async def expects_cancellation_only(book: Book) -> None:
    """
    Lose it to an error.
    """
    book.append("it")
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        book.clear()
        raise
    book.clear()


async def expects_to_be_read_to_its_end(book: Book) -> AsyncIterator[int]:
    """
    Lose it when nobody asks for more.
    """
    for number in range(3):
        book.append("it")
        yield number
        book.clear()
        await asyncio.sleep(1)


DEFECTS: list[tuple[Callable[[Book], Any], list[Mode], list[Mode]]] = [
    (waits_before_registering, [Mode.CANCEL], [Mode.ABANDON]),
    (waits_in_the_clean_up, [Mode.TWICE], [Mode.CANCEL, Mode.ALL]),
    (waits_in_the_clean_up, [Mode.SCOPE], [Mode.CANCEL]),
    (trusts_a_task, [Mode.EACH], [Mode.CANCEL, Mode.TWICE, Mode.SCOPE, Mode.THROW]),
    (one_of_two, [Mode.ALL], [Mode.CANCEL, Mode.TWICE, Mode.SCOPE, Mode.THROW, Mode.EACH]),
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
            explore(grouped, setup=list, modes=[])

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


class TestOptions:
    def test_replays_one_alone(self) -> None:
        """
        What the message of a failure says replays that failure, and nothing else.
        """
        with pytest.raises(ExplorationError) as caught:
            explore(waits_before_registering, all_given_back, setup=list)
        failure = caught.value.exploration.failures[0]
        assert f"only={str(failure.point)!r}" in str(caught.value)
        for point in (failure.point, str(failure.point)):
            with pytest.raises(ExplorationError) as again:
                explore(waits_before_registering, all_given_back, setup=list, only=point)
            assert again.value.exploration.failures == (failure,)
            assert sum(again.value.exploration.runs.values()) == 1

    @pytest.mark.parametrize(
        "point",
        ["each@2#9", "cancel@6", "cancel@99", "twice@5+1", "throw@9", "abandon@9", "scope@1"],
    )
    def test_replays_what_is_not_there(self, point: str) -> None:
        """
        A point that a scenario does not have, or not any more, disturbs nothing.
        """
        assert explore(good, all_given_back, setup=list, only=point).runs

    def test_scenario_without_a_name(self) -> None:
        """
        A callable that is no function is called what its repr says.
        """

        class Something:
            __qualname__ = ""

            def __repr__(self) -> str:
                return "<something>"

            def __call__(self) -> Any:
                return asyncio.sleep(1)

        assert explore(Something(), modes=[]).scenario == "<something>"

    def test_message_tells_where(self) -> None:
        """
        A failure names the scenario, the point, the line that waited, and what was wrong.
        """
        with pytest.raises(ExplorationError) as caught:
            explore(waits_before_registering, all_given_back, setup=list, modes=["cancel"])
        told = str(caught.value)
        assert "2 of 5 runs of waits_before_registering failed" in told
        assert "waits_before_registering, cancel@2, where it waits at" in told
        line = waits_before_registering.__code__.co_firstlineno + 5
        assert f"test_explore.py:{line}:\n    check: AssertionError: lost: ['it']" in told

    def test_long_messages_are_cut(self) -> None:
        """
        Of many failures some are told in full, and how many more there are.
        """
        explored = wrong_at_most_points()
        number = len(explored.exploration.failures)
        assert number > 8
        assert str(explored).count("SystemError") == 8
        assert f"\n... and {number - 8} more\nreplay" in str(explored)

    def test_points_are_chosen_by_the_seed(self) -> None:
        """
        The same seed chooses the same points, another one others.
        """
        first, again, other = (points_taken(seed) for seed in (1, 1, 2))
        assert first == again
        assert first != other

    def test_budget_ends_it(self) -> None:
        """
        When the budget is used up no more runs begin.
        """
        explored = explore(good, setup=list, budget=1e-9)
        assert sum(explored.runs.values()) < sum(explored.points.values())

    def test_budget_mixes_the_points(self) -> None:
        """
        Under a budget the points come in mixed order, so that what is left out is of every kind.
        """
        order: list[Mode] = []

        def note(book: Book) -> None:
            order.append(mode_of_the_run())

        def mode_of_the_run() -> Mode:
            frame: Any = sys._getframe()
            while "point" not in frame.f_locals or frame.f_code.co_name != "_disturb":
                frame = frame.f_back
                if frame is None:
                    return Mode.ABANDON
            mode: Mode = frame.f_locals["point"].mode
            return mode

        explore(good, note, setup=list, budget=1000, repeatable=False)
        order = order[1:]
        assert order != sorted(order, key=list(Mode).index)

    def test_setup_is_a_value(self) -> None:
        """
        A setup that returns a plain value makes a new one for each run.
        """
        seen: list[Book] = []

        async def note(book: Book) -> None:
            seen.append(book)
            assert len(seen) == len({id(each) for each in seen})

        explore(note, setup=list, modes=["cancel"])
        assert seen

    def test_setup_is_awaited(self) -> None:
        """
        A setup may be an async function, and give a context manager or not.
        """

        async def setup() -> Book:
            await asyncio.sleep(1)
            return []

        explore(good, all_given_back, setup=setup, modes=["cancel"])

    @pytest.mark.parametrize("awaited", [False, True])
    def test_setup_is_entered_and_left(self, *, awaited: bool) -> None:
        """
        An async context manager is entered in a task of its own, and left after the check.
        """
        log: list[str] = []
        tasks: list[object] = []

        @asynccontextmanager
        async def host() -> AsyncIterator[Book]:
            tasks.append(asyncio.current_task())
            yield []
            log.append("left")

        async def later() -> Any:
            return host()

        async def body(book: Book) -> None:
            tasks.append(asyncio.current_task())
            log.append("body")

        async def check(book: Book) -> None:
            await asyncio.sleep(1)
            log.append("check")

        explore(body, check, setup=later if awaited else host, modes=[])
        assert log == ["body", "check", "left"] * 2
        assert tasks[0] is not tasks[1]

    def test_without_setup(self) -> None:
        """
        Without a setup scenario and check take nothing.
        """
        log: list[str] = []

        async def body() -> None:
            log.append("body")

        explore(body, lambda: log.append("check"), modes=[])
        assert log == ["body", "check"] * 2

    def test_what_it_may_raise(self) -> None:
        """
        A disturbed scenario may raise what was named, alone or in a group; nothing else.
        """

        async def translates() -> None:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                raise ExceptionGroup("all", [LookupError("gone")]) from None

        with pytest.raises(ExplorationError, match=r"it raised ExceptionGroup\('all'"):
            explore(translates, modes=["cancel"])
        explore(translates, modes=["cancel"], raises=LookupError)
        explore(translates, modes=["cancel"], raises=(OSError, LookupError))

    def test_what_was_injected_may_come_out(self) -> None:
        """
        An injected error may come out as it is, or in a group.
        """

        async def grouped() -> None:
            try:
                await asyncio.sleep(1)
            except Injected as error:
                raise ExceptionGroup("all", [error]) from None

        assert explore(grouped, modes=["throw"]).runs == {Mode.THROW: 1}

    def test_ignores_problems(self) -> None:
        """
        A problem in which a pattern is found is none; others are.
        """
        with pytest.raises(ExplorationError):
            explore(waits_before_registering, all_given_back, setup=list, ignore=["nothing"])
        explore(waits_before_registering, all_given_back, setup=list, ignore=[r"lost: \['\w+'\]"])

    @pytest.mark.parametrize("eager", [False, pytest.param(True, marks=eager_only)])
    def test_eager(self, *, eager: bool) -> None:
        """
        With eager tasks, a task begins as it is made.
        """

        async def child(book: Book) -> None:
            book.append("began")

        async def body(book: Book) -> None:
            task = asyncio.create_task(child(book))
            assert bool(book) == eager
            await task

        explored: Exploration = explore(body, setup=list, eager=eager, modes=["cancel"])
        assert explored.runs[Mode.CANCEL] == explored.steps == (1 if eager else 3)

    def test_scenario_must_pass_undisturbed(self) -> None:
        """
        What a calm run does wrong is told before anything is injected.
        """
        with pytest.raises(ScenarioError, match=r"(?s)nothing injected.*check: IndexError"):
            explore(good, lambda book: book[0], setup=list)


def wrong_at_most_points(**options: Any) -> ExplorationError:
    """
    Return what comes of a scenario that goes wrong at most points.
    """

    async def wrong() -> None:
        try:
            for _ in range(20):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            raise SystemError from None

    with pytest.raises(ExplorationError) as caught:
        explore(wrong, modes=["cancel", "twice"], **options)
    return caught.value


def points_taken(seed: int) -> list[Point]:
    """
    Return the points that a seed chooses.
    """
    explored = wrong_at_most_points(most=5, seed=seed).exploration
    assert explored.runs == {Mode.CANCEL: 5, Mode.TWICE: 5}
    return [failure.point for failure in explored.failures]
