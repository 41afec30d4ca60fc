"""
What there is to do: a job for each scenario, mode and kind of task.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionstate.testing import Exploration, ExplorationError, Mode, ScenarioError
from tests.scenarios import CATALOGUE, Scenario
from tests.scenarios.mixed import mixed

if TYPE_CHECKING:
    from collections.abc import Iterator

FEW = 6
"""Points of each mode, where processes are real and a run takes hundreds of milliseconds."""

DRAWN = "mixed-"
EAGER = [False, True] if sys.version_info >= (3, 12) else [False]


@dataclass(frozen=True)
class Job:
    """
    One scenario, disturbed in one way; drawn ones in every way.
    """

    name: str
    mode: Mode | None
    eager: bool
    seed: int

    def replay(self, point: str) -> str:
        """
        Return the command that runs one point of it alone.
        """
        eager = " --eager" if self.eager else ""
        return f"python -m tests.stress --only {self.name} --point '{point}'{eager}"


@dataclass(frozen=True)
class Done:
    """
    What came of a job.
    """

    job: Job
    steps: int
    points: int
    runs: int
    seconds: float
    failures: tuple[str, ...]


def find(name: str) -> Scenario:
    """
    Return the scenario of that name.
    """
    if name.startswith(DRAWN):
        return mixed(int(name.removeprefix(DRAWN)))
    return CATALOGUE[name]


def catalogue(names: list[str], seed: int) -> Iterator[Job]:
    """
    Give every job of the catalogue's, or of those scenarios.
    """
    for name in names or CATALOGUE:
        scenario = find(name)
        if not scenario.repeatable and sys.platform == "win32":
            continue  # there only the Proactor's loop has processes
        modes = [
            m for m in Mode if m is not Mode.ABANDON or inspect.isasyncgenfunction(scenario.body)
        ]
        for eager in EAGER if scenario.repeatable else EAGER[:1]:
            yield from (Job(name, mode, eager, seed) for mode in modes)


def drawn(seed: int, shard: int) -> Iterator[Job]:
    """
    Give jobs without end, others for each seed and shard.
    """
    number = seed * 10_000_000 + shard * 1_000_000
    while True:
        yield from (Job(f"{DRAWN}{number}", None, eager, seed) for eager in EAGER)
        number += 1


def do(job: Job, budget: float | None) -> Done:
    """
    Do a job, in so many seconds, and return what came of it.
    """
    scenario = find(job.name)
    modes = list(Mode) if job.mode is None else [job.mode]
    most = None if scenario.repeatable else FEW
    failures: list[str] = []
    try:
        explored: Exploration = scenario.explore(
            modes, eager=job.eager, most=most, seed=job.seed, budget=budget
        )
    except ExplorationError as error:
        explored = error.exploration
        failures += [f"{each}\n    {job.replay(str(each.point))}" for each in explored.failures]
    except ScenarioError as error:
        return Done(job, 0, 0, 0, 0.0, (str(error),))
    points, runs = sum(explored.points.values()), sum(explored.runs.values())
    return Done(job, explored.steps, points, runs, explored.seconds, tuple(failures))


def be_quiet() -> None:
    """
    Keep to oneself what clean-ups log that are cut short by the thousand.
    """
    logging.disable(logging.CRITICAL)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - for as long as we live
