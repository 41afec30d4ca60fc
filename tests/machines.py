"""
Run every state machine of the suite many times: `python -m tests.machines --machines 100000`.

The machines run in processes of their own, some hundred examples each and a seed for each, until
all have run or the budget is used up. A failure prints what Hypothesis says of it, shrunk, and the
command that repeats it. The exit status is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import hypothesis.core
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parents[1]
BATCH: Final = 400  # examples in one process: a start costs as much as some twenty
REAL: Final = 10  # the same, in real time
UNITS: Final = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Kind:
    """
    One machine: where it is, its share of a thousand examples, and the steps of an example.
    """

    module: str
    name: str
    share: int
    steps: int
    batch: int = BATCH


KINDS: Final = [
    Kind("test_lifecycle_machine", "LifecycleMachine", 200, 50),
    Kind("test_family_machine", "FamilyMachine", 150, 50),
    Kind("test_state_machine", "StateMachine", 149, 50),
    Kind("test_memory_machine", "MemoryMachine", 100, 40),
    Kind("test_containers_expiring_machine", "ExpiringMachine", 200, 50),
    Kind("test_containers_lru", "LRUMachine", 100, 40),
    Kind("test_containers_replay_machine", "GuardMachine", 100, 40),
    Kind("test_processes_machine", "ProcessesMachine", 1, 12, REAL),
]


@dataclass
class Row:
    """
    What has run of one machine.
    """

    examples: int = 0
    steps: int = 0
    seconds: float = 0.0
    failures: int = 0


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """
    Read the command line.
    """
    names = [each.name for each in KINDS]
    parser = argparse.ArgumentParser(prog="python -m tests.machines", description=__doc__)
    parser.add_argument("--machines", type=int, default=100_000, help="how many examples in all")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes at once")
    parser.add_argument("--budget", type=duration, help="how long at most, such as 90s, 10m or 2h")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def duration(text: str) -> float:
    """
    Return seconds, of a number with a unit.
    """
    unit = UNITS.get(text[-1:])
    number = text if unit is None else text[:-1]
    try:
        seconds = float(number) * (unit or 1)
    except ValueError:
        seconds = -1
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 90s, 10m or 2h")
    return seconds


def run_here(kind: Kind, examples: int, seed: int) -> Row:
    """
    Run one machine in this process.
    """
    row = Row()
    machine: Any = getattr(importlib.import_module(f"tests.{kind.module}"), kind.name)

    class Counting(machine):  # type: ignore[misc]
        def __init__(self) -> None:
            row.examples += 1
            row.steps -= 1  # the invariants are looked at once before the first step
            super().__init__()

        def check_invariants(self, *args: Any, **kwargs: Any) -> None:
            row.steps += 1
            super().check_invariants(*args, **kwargs)

    assert issubclass(Counting, RuleBasedStateMachine)
    Counting.__name__ = Counting.__qualname__ = kind.name
    logging.getLogger("sessionstate").setLevel(logging.CRITICAL)  # much of it, while it shrinks
    core: Any = hypothesis.core
    core.global_force_seed = seed  # as pytest's --hypothesis-seed does
    began = time.perf_counter()
    try:
        run_state_machine_as_test(
            Counting,
            settings=settings(
                max_examples=examples,
                stateful_step_count=kind.steps,
                deadline=None,
                database=None,
                derandomize=False,
                report_multiple_bugs=False,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            ),
        )
    except Exception:
        row.failures = 1
        raise
    finally:
        row.seconds = time.perf_counter() - began
        print(json.dumps(vars(row)))
    return row


def run_apart(kind: Kind, examples: int, seed: int) -> Row:
    """
    Run one machine in a process of its own.
    """
    command = [sys.executable, "-W", "error", "-m", "tests.machines", "--only", kind.name]
    command += ["--machines", str(examples), "--seed", str(seed), "--here"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    try:
        row = Row(**json.loads(lines[-1]))
    except (IndexError, ValueError):
        row = Row(failures=1)
    if done.returncode:
        row.failures = 1
        print(f"{kind.name} failed: {' '.join(command[3:])}", *lines[:-1], done.stderr, sep="\n")
    return row


def batches(kinds: Sequence[Kind], machines: int, seed: int) -> deque[tuple[Kind, int, int]]:
    """
    Return what is to run, with the machines in turn, so that a budget cuts all of them alike.
    """
    total = sum(each.share for each in kinds)
    left = {each.name: max(1, machines * each.share // total) for each in kinds}
    rounds = {each.name: -(-left[each.name] // each.batch) for each in kinds}
    found: list[tuple[float, Kind, int]] = []
    for each in kinds:
        for number in range(rounds[each.name]):
            size = min(each.batch, left[each.name])
            left[each.name] -= size
            found.append((number / rounds[each.name], each, size))
    found.sort(key=lambda one: one[0])
    return deque((each, size, seed + i) for i, (_, each, size) in enumerate(found))


def show(rows: dict[str, Row], seconds: float) -> str:
    """
    Return the table.
    """
    lines = [f"{'machine':18} {'examples':>9} {'steps':>11} {'seconds':>8} {'failures':>8}"]
    total = Row()
    for name, row in rows.items():
        lines.append(_line(name, row))
        for field, value in vars(row).items():
            setattr(total, field, getattr(total, field) + value)
    return "\n".join([*lines, _line("all", total), f"in {seconds:,.0f} s"])


def _line(name: str, row: Row) -> str:
    counts = f"{row.examples:9,} {row.steps:11,} {row.seconds:8,.0f} {row.failures:8,}"
    return f"{name:18} {counts}"


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run what the command line asks for.
    """
    options = arguments(argv)
    kinds = [each for each in KINDS if options.only is None or each.name in options.only]
    if options.here:
        run_here(kinds[0], options.machines, options.seed)
        return 0
    began = time.perf_counter()
    until = None if options.budget is None else began + options.budget
    todo = batches(kinds, options.machines, options.seed)
    rows = {each.name: Row() for each in kinds}

    def work(_: int) -> None:
        while todo and (until is None or time.perf_counter() < until):
            try:
                kind, size, seed = todo.popleft()
            except IndexError:  # another worker was faster
                return
            found, row = run_apart(kind, size, seed), rows[kind.name]
            for field, value in vars(found).items():
                setattr(row, field, getattr(row, field) + value)

    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(work, range(options.jobs)))
    print(show(rows, time.perf_counter() - began))
    if todo:
        print(f"the budget was used up: {sum(size for _, size, _ in todo):,} examples did not run")
    if options.json:
        table = {name: vars(row) for name, row in rows.items()}
        options.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    return 1 if any(row.failures for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
