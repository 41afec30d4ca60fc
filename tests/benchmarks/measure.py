"""
Two pieces of work side by side: A B A B ..., many short rounds, the median of the rounds' ratios.

The clock is the thread's CPU time, so that a busy neighbour costs cache but no seconds. The cyclic
collector is off inside the rounds, as `timeit` has it, and runs between them; `--gc` leaves it on.
"""

import cProfile
import gc
import pstats
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles
from time import thread_time_ns
from typing import Literal

WARM = 2_000

Work = Callable[[int], Awaitable[None]]
Note = str | int | float


@dataclass(frozen=True, slots=True)
class Plan:
    """
    How long to measure, and how.
    """

    rounds: int = 200
    round_ns: int = 1_000_000
    sessions: int = 1_000_000
    gc: bool = False
    profile: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One line of the table.
    """

    what: str
    reference: str
    measured: float
    at_most: float
    unit: Literal["x", "B", "ms"] = "x"
    notes: dict[str, Note] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """
        Whether the bound holds.
        """
        return self.measured <= self.at_most


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    The median round of two pieces of work.
    """

    ratio: float
    ratio_alone: float
    measured_ns: float
    reference_ns: float
    overhead_ns: float
    lower: float
    upper: float
    repeats: int
    rounds: int

    def notes(self) -> dict[str, Note]:
        """
        What the JSON file tells beside the ratio.
        """
        return {
            "measured_ns": round(self.measured_ns, 1),
            "reference_ns": round(self.reference_ns, 1),
            "loop_ns": round(self.overhead_ns, 1),
            "ratio_whole": round(self.ratio, 3),
            "ratio_without_loop": round(self.ratio_alone, 3),
            "lower_quartile": round(self.lower, 3),
            "upper_quartile": round(self.upper, 3),
            "repeats_a_round": self.repeats,
            "rounds": self.rounds,
        }


async def empty_loop(repeats: int) -> None:
    """
    Do nothing *repeats* times: what the loop around the work costs.
    """
    for _ in range(repeats):
        pass


async def timed(work: Work, repeats: int) -> int:
    """
    Run *work* and tell the CPU nanoseconds that this thread, event loop included, spent on it.
    """
    begun = thread_time_ns()
    await work(repeats)
    return thread_time_ns() - begun


async def compare(
    plan: Plan,
    measured: Work,
    reference: Work,
    *,
    overhead: Work = empty_loop,
    between: Callable[[], None] | None = None,
) -> Comparison:
    """
    Interleave *measured* and *reference* and compare them round by round.

    Each piece of work gets the number of its repeats. *between* runs after each round, outside the
    clock.
    """
    for _ in range(5):
        for work in (measured, reference, overhead):
            await work(WARM)
    cost = max(1.0, await timed(reference, WARM) / WARM)
    repeats = max(20, int(plan.round_ns / cost))
    if plan.profile:
        await profile(measured, repeats * 20)

    rounds: list[tuple[int, int, int]] = []
    gc.collect()
    if not plan.gc:
        gc.disable()
    try:
        for number in range(plan.rounds):
            rounds.append(
                (
                    await timed(measured, repeats),
                    await timed(reference, repeats),
                    await timed(overhead, repeats),
                )
            )
            if between is not None:
                between()
            if number % 10 == 9:
                gc.collect()
    finally:
        gc.enable()

    ratios = [a / b for a, b, _ in rounds]
    lower, _, upper = quantiles(ratios, n=4)
    loop = median(c for _, _, c in rounds)
    return Comparison(
        ratio=median(ratios),
        ratio_alone=median((a - loop) / max(1.0, b - loop) for a, b, _ in rounds),
        measured_ns=median(a for a, _, _ in rounds) / repeats,
        reference_ns=median(b for _, b, _ in rounds) / repeats,
        overhead_ns=loop / repeats,
        lower=lower,
        upper=upper,
        repeats=repeats,
        rounds=len(rounds),
    )


async def profile(work: Work, repeats: int) -> None:
    """
    Print where the time of *work* goes.
    """
    with profiled(f"{repeats} repeats"):
        await work(repeats)


@contextmanager
def profiled(what: str) -> Iterator[None]:
    """
    Print where the time of the block goes; calls are dearer here, so compare shares only.
    """
    profiler = cProfile.Profile()
    profiler.enable()
    try:
        yield
    finally:
        profiler.disable()
    print(f"profile of {what}, by own time:", file=sys.stderr)
    pstats.Stats(profiler, stream=sys.stderr).strip_dirs().sort_stats("tottime").print_stats(30)
