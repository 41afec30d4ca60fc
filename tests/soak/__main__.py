"""
Let sessions come and go, and see what is left of them: `python -m tests.soak`.

The slope of the traced memory is measured in a process of its own with fewer sessions, as tracing
takes its time. The exit status is 1 if anything is left, a slope is too steep, an ending did not
come, or something failed that nobody could be told of.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests.soak.run import MOST, Result, soak

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """
    Read the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000_000, help="how many come and go")
    parser.add_argument("--traced", type=int, default=200_000, help="how many of them are traced")
    parser.add_argument("--readings", type=int, default=100, help="how often it is looked")
    parser.add_argument("--processes", type=int, default=5, help="child processes a reading")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trace", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def show(name: str, result: Result) -> list[str]:
    """
    Return the table of one run.
    """
    took = f"in {result.seconds:,.0f} s, {result.sessions / result.seconds:,.0f} a second"
    lines = [f"{name}: {result.sessions:,} sessions {took}"]
    for gauge, slope in result.slopes.items():
        unit = "objects" if gauge == "objects" else "bytes"
        low, high = f"{slope.low:+.4f}", f"{slope.high:+.4f}"
        lines.append(f"  {gauge:8} {slope.value:+.4f} {unit} a session (95 %: {low} to {high})")
    ended = ", ".join(f"{reason} {count:,}" for reason, count in result.by_reason.items())
    lines += [
        f"  ended    {ended}",
        f"  left     {result.left or '0 of anything'}",
        f"  errors   {result.errors or 'none'}",
    ]
    return lines


def traced(options: argparse.Namespace) -> Result:
    """
    Run the traced part in a process of its own.
    """
    command = [sys.executable, "-m", "tests.soak", "--trace", "--seed", str(options.seed)]
    sizes = ["--sessions", str(options.traced), "--readings", str(options.readings)]
    done = subprocess.run(
        [*command, *sizes, "--processes", "0"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    return Result.read(json.loads(done.stdout))


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run, and print the tables.
    """
    options = arguments(argv)
    if options.trace:
        result = soak(options.sessions, options.readings, 0, seed=options.seed, trace=True)
        print(json.dumps(asdict(result)))
        return 0
    results = {"traced": traced(options)} if options.traced else {}
    for name, each in results.items():
        print(*show(name, each), sep="\n", flush=True)
    results["untraced"] = soak(
        options.sessions, options.readings, options.processes, seed=options.seed, tell=_tell
    )
    print(*show("untraced", results["untraced"]), sep="\n")
    machine = (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}"
    )
    print(machine)
    if options.json:
        whole = {name: asdict(each) for name, each in results.items()} | {"machine": machine}
        options.json.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    failures = [f"{name}: {what}" for name, each in results.items() for what in each.failures()]
    print(*(failures or [f"nothing is left, and no slope is {MOST:g} byte a session"]), sep="\n")
    return 1 if failures else 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
