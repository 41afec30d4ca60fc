"""
`explore`: each option does its part, and what is told of a failure replays it.
"""

from __future__ import annotations

import asyncio
import gc
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sessionstate.testing import (
    Exploration,
    ExplorationError,
    Injected,
    Mode,
    Point,
    ScenarioError,
    explore,
)
from sessionstate.testing._garbage import FROZEN
from tests.planted import Book, all_given_back, good, waits_before_registering

# Each run has a virtual loop of its own: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time

eager_only = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="eager tasks came with Python 3.12"
)


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
        "point", ["each@2#9", "cancel@99", "throw@9", "abandon@9", "twice@2+99"]
    )
    def test_replays_what_is_not_there(self, point: str) -> None:
        """
        A point that a scenario does not have any more is no success: it says so.
        """
        with pytest.raises(ScenarioError, match=re.escape(f"never gets to {point}: points move")):
            explore(good, all_given_back, setup=list, only=point)

    @pytest.mark.parametrize("point", ["cancel@6", "twice@5+1", "scope@1", "throw@1", "all@1"])
    def test_replays_what_is_at_its_edges(self, point: str) -> None:
        """
        A point is there though the scenario is over by then, or has not begun to wait.
        """
        assert explore(good, all_given_back, setup=list, only=point).runs

    @pytest.mark.parametrize("frozen", [False, True])
    def test_collector_is_left_as_it_was(self, frozen: bool) -> None:
        """
        What the program keeps from the garbage collector is kept from it afterwards too.
        """
        if frozen:
            gc.freeze()
        try:
            explore(good, all_given_back, setup=list, only="cancel@1")
            assert (gc.get_freeze_count() > FROZEN) is frozen
        finally:
            gc.unfreeze()

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

        assert explore(Something(), modes="cancel").scenario == "<something>"

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
        assert f"planted.py:{line}:\n    check: AssertionError: lost: ['it']" in told

    def test_the_task_is_named(self) -> None:
        """
        A failure names the task that was cancelled, if that is not the scenario's own.
        """

        async def work() -> None:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                raise SystemError from None

        async def scenario() -> None:
            await asyncio.wait([asyncio.create_task(work(), name="worker")])

        with pytest.raises(ExplorationError) as caught:
            explore(scenario, modes=["each"])
        others = {each.task for each in caught.value.exploration.failures}
        assert "worker" in others
        assert ", where task 'worker' waits at " in str(caught.value)

    def test_failures_that_are_alike_are_told_once(self) -> None:
        """
        What goes wrong in the same way at many points is told once, with how many there are.
        """
        explored = wrong_at_most_points()
        runs = explored.exploration.runs
        number = len(explored.exploration.failures)
        assert str(explored).count("SystemError") == 1
        others = f"cancel {runs[Mode.CANCEL] - 2}, twice {runs[Mode.TWICE]}"
        assert f"\n    the same at {number - 1} more points: {others}\nreplay" in str(explored)

    def test_long_messages_are_cut(self) -> None:
        """
        Of many ways to fail some are told in full, and how many more there are.
        """
        told = str(wrong_at_most_points(each_in_its_own_way=True))
        assert told.count("SystemError") == 8
        assert re.search(r"\n\.\.\. and \d+ more ways to fail\nreplay", told)

    def test_points_are_chosen_by_the_seed(self) -> None:
        """
        The same seed chooses the same points, another one others.
        """
        first, again, other = (points_taken(seed) for seed in (1, 1, 2))
        assert first == again
        assert first != other

    def test_budget_ends_it(self) -> None:
        """
        When the budget is used up no more runs begin, but one is made.
        """
        explored = explore(good, setup=list, budget=1e-9)
        assert sum(explored.runs.values()) == 1

    def test_budget_is_for_everything(self) -> None:
        """
        To find out how long a clean-up takes, for a second cancellation, is part of the budget.
        """
        times: list[int] = []

        async def scenario() -> None:
            times.append(1)
            for _ in range(20):
                await asyncio.sleep(0)

        explored = explore(scenario, modes=["twice"], budget=1e-9)
        # Twice undisturbed; cancelled at its second step; cancelled twice, and that once more.
        assert len(times) == 5
        assert explored.steps > 20
        assert sum(explored.runs.values()) == 1

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

        explore(body, check, setup=later if awaited else host, only="scope@1")
        assert log == ["body", "check", "left"] * 4
        assert tasks[0] is not tasks[1]

    def test_without_setup(self) -> None:
        """
        Without a setup scenario and check take nothing.
        """
        log: list[str] = []

        async def body() -> None:
            log.append("body")

        explore(body, lambda: log.append("check"), only="scope@1")
        assert log == ["body", "check"] * 4

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


def wrong_at_most_points(*, each_in_its_own_way: bool = False, **options: Any) -> ExplorationError:
    """
    Return what comes of a scenario that goes wrong at most points.
    """

    async def wrong() -> None:
        turn = 0
        try:
            while turn < 20:
                await asyncio.sleep(0)
                turn += 1
        except asyncio.CancelledError:
            raise SystemError(turn if each_in_its_own_way else "") from None

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
