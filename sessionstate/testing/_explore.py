"""
Runs a scenario again and again, with something injected at every point that there is.
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, Final

from ._garbage import frozen
from ._options import chosen_modes, errors, functions, one_point, patterns, seconds, whole
from ._points import Mode, Point, points
from ._run import Run, Terms
from ._scenario import Scenario

REPEATED: Final = 10
"""One run of so many is made twice, and has to go the same way."""

SHOWN: Final = 8
"""Ways to fail that the message of an `ExplorationError` tells in full."""

ADVICE: Final = (
    "A step cannot be found again then. Look for sets of tasks (use dicts), sets of coroutines "
    "(asyncio.as_completed makes one: give it tasks), random numbers without a seed, real time, "
    "threads, and what one run leaves for the next (make it in setup=); with real processes or "
    "sockets, explore(..., repeatable=False)"
)

_ALONE: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Failure:
    """
    A run after which something was wrong.

    .. versionadded:: 0.1
    """

    scenario: str
    """The name of the scenario."""

    point: Point
    """What was injected, and where."""

    where: str
    """Where what was disturbed waited then, as ``file:line``."""

    problems: tuple[str, ...]
    """What was wrong, a sentence each."""

    task: str = ""
    """The name of the task that was disturbed alone, if it is not the scenario's own."""

    def __str__(self) -> str:
        problems = "".join(f"\n    {problem}" for problem in self.problems)
        who = f"task {self.task!r}" if self.task else "it"
        where = f", where {who} waits at {self.where}" if self.where else ""
        return f"{self.scenario}, {self.point}{where}:{problems}"


@dataclass(frozen=True, slots=True)
class Exploration:
    """
    What an exploration did.

    .. versionadded:: 0.1
    """

    scenario: str
    """The name of the scenario."""

    steps: int
    """Steps of the loop that it takes undisturbed."""

    runs: Mapping[Mode, int]
    """How many runs were made, by mode."""

    points: Mapping[Mode, int]
    """How many points there are, by mode; some were left out if this is more than `runs`."""

    seconds: float
    """Real seconds that it took."""

    failures: tuple[Failure, ...] = field(repr=False)
    """The runs after which something was wrong."""


class ExplorationError(AssertionError):
    """
    Something was wrong after some runs; each can be replayed alone.

    Attributes:
        exploration: The whole of it, with every failure.

    .. versionadded:: 0.1
    """

    def __init__(self, exploration: Exploration) -> None:
        self.exploration = exploration
        failures, runs = exploration.failures, sum(exploration.runs.values())
        alike: dict[tuple[str, ...], list[Failure]] = {}
        for failure in failures:
            alike.setdefault(failure.problems, []).append(failure)
        lines = [f"{len(failures)} of {runs} runs of {exploration.scenario} failed"]
        for first, *others in list(alike.values())[:SHOWN]:
            lines.append(str(first))
            if others:
                modes = Counter(each.point.mode for each in others)
                listed = ", ".join(f"{mode} {number}" for mode, number in modes.items())
                lines.append(f"    the same at {len(others)} more points: {listed}")
        if len(alike) > SHOWN:
            lines.append(f"... and {len(alike) - SHOWN} more ways to fail")
        lines.append(f"replay one alone: explore(..., only={str(failures[0].point)!r})")
        super().__init__("\n".join(lines))


class ScenarioError(ValueError):
    """
    A scenario cannot be explored: undisturbed, it fails, leaks, never ends, or differs each time.

    .. versionadded:: 0.1
    """


def explore(
    scenario: Callable[..., Any],
    check: Callable[..., Any] | None = None,
    *,
    setup: Callable[[], Any] | None = None,
    modes: Collection[Mode | str] = tuple(Mode),
    only: Point | str | None = None,
    most: int | None = None,
    seed: int = 0,
    budget: float | None = None,
    eager: bool = False,
    raises: type[BaseException] | tuple[type[BaseException], ...] = (),
    ignore: Iterable[str] = (),
    repeatable: bool = True,
    settle: float = 3600.0,
    time_limit: float = 7200.0,
) -> Exploration:
    """
    Run *scenario* once for every point at which it can be disturbed, and look at what is left.

    Each run has a loop of its own in virtual time. After it, whatever was injected: the scenario
    has ended; no task, timer, child process or file descriptor is left; nothing reached the loop's
    exception handler or `sys.unraisablehook`; nothing was "never awaited" or dropped unclosed; the
    cancellation was not swallowed; and the same injection again goes the same way.

    Args:
        scenario: An async function, or an async generator function. It takes what *setup* made,
            if that is not None.
        check: Called with the same after *settle* seconds, sync or async; it raises what is wrong.
        setup: Makes what a run needs, anew for each: a value, something to await for it, or an
            async context manager, which lives in a task of its own. Only the scenario is disturbed.
        modes: What to inject; by default everything, see `Mode`. Those of which a scenario has no
            point are passed over, as long as there is another.
        only: One point, such as ``"each@17#2"``, to replay that run alone.
        most: How many runs of each mode at most, chosen by *seed*; None for all there are.
        seed: Chooses the points where not all are taken.
        budget: Real seconds after which no more runs begin, but for a first one; points come in
            mixed order then, those of mode ``twice`` as far as half of it suffices to find them.
            None for no limit.
        eager: Use eager tasks (Python 3.12 and later).
        raises: What else the scenario may raise when it is disturbed, besides `CancelledError` and
            `Injected`.
        ignore: Regular expressions; a problem in which one is found is none.
        repeatable: Whether runs must go the same way each time. With real processes they do not.
        settle: Virtual seconds that go by after the scenario. What is there then, and still there
            when the setup is left, is left; as many seconds again are for what the setup leaves.
        time_limit: Virtual seconds within which the scenario ends, and its setup is left.

    Returns:
        How many runs were made.

    Raises:
        ExplorationError: If something was wrong after some runs. An `AssertionError`.
        ScenarioError: If something is wrong with the scenario already when nothing is injected, or
            it has no point at which to inject anything.
        TypeError: If an argument is of a kind that makes no sense, or
        ValueError: If its value makes none.
        RuntimeError: In a running event loop, as each run has its own; while another thread
            explores.

    .. versionadded:: 0.1
    """
    _refuse_running_loop()
    if not callable(scenario):
        raise TypeError(
            f"a scenario is an async function, to be called anew each time, not {scenario!r}"
        )
    functions(check=check, setup=setup)
    wanted, point = chosen_modes(modes), one_point(only)
    whole("seed", seed)
    if most is not None:
        whole("most", most, least=1)
    if budget is not None:
        seconds("budget", budget, none=True, zero=False)
    seconds("settle", settle, none=False, zero=True)
    seconds("time_limit", time_limit, none=False, zero=False)
    described = Scenario(scenario, check, setup)
    terms = Terms(
        eager=eager,
        repeatable=repeatable,
        settle=settle,
        time_limit=time_limit,
        raises=errors(raises),
        ignore=patterns(ignore),
    )
    with _alone(), frozen():
        exploration = _explored(
            described,
            terms,
            wanted,
            point,
            most=most,
            seed=seed,
            budget=budget,
        )
    if exploration.failures:
        raise ExplorationError(exploration)
    return exploration


def _explored(
    described: Scenario,
    terms: Terms,
    wanted: set[Mode],
    only: Point | None,
    *,
    most: int | None,
    seed: int,
    budget: float | None,
) -> Exploration:
    began = time.monotonic()
    calm = _calm(described, terms)
    chosen = Mode if only is None else ()
    course = calm.course
    if only is None and Mode.TWICE in wanted:
        half = math.inf if budget is None else began + budget / 2
        course = replace(course, cancelled=_cancelled(described, terms, course.steps, half))
    if only is None and Mode.THROW in wanted:
        counting = Run(described, terms, Point(Mode.THROW, 0), record=False)
        course = replace(course, awaits=counting.go().course.awaits)
    plan = {mode: list(points(mode, course)) for mode in chosen if mode in wanted}
    if only is not None:
        plan = {only.mode: [only]}
    if not any(plan.values()):
        raise ScenarioError(
            f"{described.name} has no point for {', '.join(plan)}, so nothing would be tried: "
            f"'abandon' needs an async generator, 'throw' an await that can fail, and everything "
            f"else a step of the loop; choose other modes"
        )
    runs: Counter[Mode] = Counter()
    failures: list[Failure] = []
    chosen_points = [each for of_mode in plan.values() for each in _choose(of_mode, most, seed)]
    if budget is not None:  # what is left out is to be of every kind
        random.Random(seed).shuffle(chosen_points)  # noqa: S311 - repeatable
    for number, point in enumerate(chosen_points):
        if budget is not None and runs and time.monotonic() - began > budget:
            break
        again = terms.repeatable and number % REPEATED == 0
        runs[point.mode] += 1
        failure = _disturb(described, terms, point, again=again, must_strike=only is not None)
        if failure is not None:
            failures.append(failure)
    return Exploration(
        scenario=described.name,
        steps=calm.course.steps,
        runs=dict(runs),
        points={mode: len(all_points) for mode, all_points in plan.items()},
        seconds=time.monotonic() - began,
        failures=tuple(failures),
    )


def _calm(scenario: Scenario, terms: Terms) -> Run:
    """
    Run *scenario* undisturbed, twice, and refuse it if that goes wrong already.
    """
    run = Run(scenario, terms, None).go()
    if run.threads:
        raise ScenarioError(
            f"{scenario.name} starts threads ({', '.join(run.threads)}), which wake the loop "
            f"whenever they please, so that no step can be found again: do without them, or "
            f"explore(..., repeatable=False)"
        )
    if run.problems:
        problems = "".join(f"\n    {problem}" for problem in run.problems)
        raise ScenarioError(
            f"{scenario.name} goes wrong with nothing injected: mend that first{problems}"
        )
    if not terms.repeatable:
        return run
    second = Run(scenario, terms, None).go()
    difference = _difference(run, second)
    if difference:
        raise ScenarioError(
            f"{scenario.name} does not go the same way twice: {difference}. {ADVICE}"
        )
    return run


def _cancelled(scenario: Scenario, terms: Terms, steps: int, deadline: float) -> list[int]:
    """
    Return how many steps there are for each at which the scenario may be cancelled.

    From the *deadline* on it looks at no more of them, once there is one.
    """
    found: list[int] = []
    for step in range(1, steps + 1):
        if any(found) and time.monotonic() > deadline:
            break
        run = Run(scenario, terms, Point(Mode.CANCEL, step), record=False).go()
        found.append(run.course.steps)
    return found


def _disturb(
    scenario: Scenario, terms: Terms, point: Point, *, again: bool, must_strike: bool
) -> Failure | None:
    run = Run(scenario, terms, point, record=again).go()
    if must_strike and not run.struck:
        raise ScenarioError(
            f"{scenario.name} never gets to {point}: points move when the code changes, so take "
            f"one from a new report"
        )
    problems = list(run.problems)
    if again:
        difference = _difference(run, Run(scenario, terms, point).go())
        if difference:
            problems.append(
                f"the same injection goes another way the next time: {difference}. {ADVICE}"
            )
    if not problems:
        return None
    return Failure(scenario.name, point, run.waited_at, tuple(problems), run.other)


def _difference(one: Run, other: Run) -> str:
    """
    Say what the first difference between two runs is, or nothing.
    """
    for number, (first, second) in enumerate(zip_longest(one.trace, other.trace), 1):
        if first != second:
            alike = str(first) == str(second)
            told = [
                "nothing, as it was over" if each is None else each.exactly if alike else str(each)
                for each in (first, second)
            ]
            return f"step {number} was first {told[0]}, and then {told[1]}"
    return ""


def _choose(all_points: list[Point], most: int | None, seed: int) -> list[Point]:
    if most is None or most >= len(all_points):
        return all_points
    chosen = random.Random(seed).sample(range(len(all_points)), most)  # noqa: S311 - repeatable
    return [all_points[number] for number in sorted(chosen)]


@contextmanager
def _alone() -> Iterator[None]:
    """
    Refuse a second exploration at the same time.
    """
    if not _ALONE.acquire(blocking=False):
        raise RuntimeError(
            "explore() runs in another thread already, and each would take for left what the other "
            "has open: call them one after the other, or in processes of their own"
        )
    try:
        yield
    finally:
        _ALONE.release()


def _refuse_running_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "explore() runs loops of its own, so it cannot be called in one: call it from a plain "
        "function, 'def test_...', not 'async def'"
    )
