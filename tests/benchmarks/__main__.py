"""
Measure, print the table, write the JSON file: `python -m tests.benchmarks`.

Each row runs in a process of its own, the small ones in several, because hash seeds and memory
layout differ from process to process by more than rounds do; the table shows their median. The exit
status tells whether everything could be measured, never what the figures are.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median

from tests.benchmarks.measure import Figure, Plan, profiled
from tests.benchmarks.report import facts, show
from tests.benchmarks.rows import BIG, ROWS, SMALL

ROOT = Path(__file__).parents[2]


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """
    Read the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds; 100,000 for 1,000,000")
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures and facts there")
    parser.add_argument("--processes", type=int, help="how many for each small row (3; quick: 1)")
    parser.add_argument("--rounds", type=int, help="how many in each process (200; quick: 100)")
    parser.add_argument("--sessions", type=int, help="how many in the large rows")
    parser.add_argument("--gc", action="store_true", help="leave the collector on in small rows")
    parser.add_argument("--profile", action="store_true", help="show where a row's time goes")
    parser.add_argument("--child", choices=ROWS, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def plan(options: argparse.Namespace) -> Plan:
    """
    How to measure, from the command line.
    """
    return Plan(
        rounds=options.rounds or (100 if options.quick else 200),
        sessions=options.sessions or (100_000 if options.quick else 1_000_000),
        gc=options.gc,
        profile=options.profile,
    )


def measure_here(name: str, how: Plan) -> None:
    """
    Measure one row in this process, and print it for the parent.
    """

    async def main() -> list[Figure]:
        return await ROWS[name](how)

    # The small rows profile their own inner loop, and memory its lines.
    whole = how.profile and name in BIG and name != "memory"
    with profiled(name) if whole else nullcontext():
        figures = asyncio.run(main())
    print(json.dumps([asdict(figure) for figure in figures]))


def measure_apart(name: str, processes: int, argv: Sequence[str]) -> list[Figure]:
    """
    Measure one row in processes of its own, one after the other, and take the medians.
    """
    runs: list[list[Figure]] = []
    for _ in range(processes):
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks", *argv, "--child", name],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        runs.append([Figure(**figure) for figure in json.loads(done.stdout)])
    merged: list[Figure] = []
    for same in zip(*runs, strict=True):
        values = [figure.measured for figure in same]
        middle = min(same, key=lambda figure: abs(figure.measured - median(values)))
        notes = {"processes": processes, "lowest": min(values), "highest": max(values)}
        merged.append(replace(middle, measured=median(values), notes={**middle.notes, **notes}))
    return merged


def main() -> int:
    """
    Measure what was asked for.
    """
    options = arguments()
    if options.child:
        measure_here(options.child, plan(options))
        return 0
    failed: list[str] = []
    results: dict[str, list[Figure]] = {}
    for name in options.only or (SMALL if options.quick else ROWS):
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        processes = 1 if name in BIG else options.processes or (1 if options.quick else 3)
        try:
            results[name] = measure_apart(name, processes, sys.argv[1:])
        except subprocess.CalledProcessError as error:
            print(f"{name} could not be measured: {error}", file=sys.stderr)
            failed.append(name)
    figures = [figure for row in results.values() for figure in row]
    if figures:
        show(figures)
    if options.json:
        write(options.json, results, failed)
    return bool(failed)


def write(file: Path, results: dict[str, list[Figure]], failed: Sequence[str]) -> None:
    """
    Write all that was measured, and where.
    """
    lines = [
        {"name": name, **asdict(figure), "reached": figure.reached}
        for name, row in results.items()
        for figure in row
    ]
    content = {"facts": facts(), "figures": lines, "failed": list(failed)}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
