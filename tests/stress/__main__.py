"""
Disturb every scenario at every point: `python -m tests.stress --budget 10m`.

Without a budget, every point of the catalogue is taken. With one, each scenario, mode and kind of
task gets its share, and what is left goes to scenarios that are drawn. At last each runs once on
uvloop. The exit status is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import re
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sessionstate.testing import ExplorationError
from tests.scenarios import CATALOGUE
from tests.stress.cores import cores, do_all
from tests.stress.jobs import DRAWN, catalogue, drawn, find
from tests.stress.report import Report, progress
from tests.stress.smoke import show as show_smoke

if TYPE_CHECKING:
    from collections.abc import Sequence

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """
    Return the seconds that ``90``, ``90s``, ``10m`` and ``1.5h`` stand for.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 90s, 10m or 1.5h")
    return float(found[1]) * UNITS[found[2]]


def shard(text: str) -> tuple[int, int]:
    """
    Return the number of a shard, from 0 on, and how many there are: ``1/2`` is the first of two.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no shard: write 1/2 and 2/2")
    return int(found[1]) - 1, int(found[2])


def named(text: str) -> str:
    """
    Return the name of a scenario, if it is one.
    """
    if text in CATALOGUE or re.fullmatch(DRAWN + r"\d+", text):
        return text
    raise argparse.ArgumentTypeError(f"there is no scenario {text!r}: {', '.join(CATALOGUE)}")


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """
    Read the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("--budget", type=duration, help="how long it may take, such as 10m")
    parser.add_argument("--shard", type=shard, default=(0, 1), help="a part of it, such as 1/2")
    parser.add_argument("--seed", type=int, default=0, help="what to choose where time is short")
    parser.add_argument("--only", type=named, action="append", default=[], metavar="NAME")
    parser.add_argument("--point", help="one point of that one alone, such as each@17#2")
    parser.add_argument("--eager", action="store_true", help="with eager tasks, for --point")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there")
    options = parser.parse_args(argv)
    if options.point and len(options.only) != 1:
        parser.error("--point needs one --only NAME")
    return options


def replay(name: str, point: str, *, eager: bool) -> int:
    """
    Run one point alone, and say what came of it.
    """
    try:
        print(find(name).explore(only=point, eager=eager))
    except ExplorationError as error:
        print(error)
        return 1
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """
    Do what the command line asks for.
    """
    options = arguments(argv)
    if options.point:
        return replay(options.only[0], options.point, eager=options.eager)
    which, of = options.shard
    jobs = list(catalogue(options.only, options.seed))[which::of]
    more = drawn(options.seed, which) if not options.only else iter(())
    print(f"{len(jobs)} jobs on {cores()} cores, Python {platform.python_version()}", flush=True)
    report, began = Report(), time.monotonic()
    with progress(len(jobs), report) as tell:
        do_all(jobs, more, options.budget, tell)
    seconds = time.monotonic() - began
    for line in (*report.table(), report.ending(seconds), *report.failures):
        print(line, flush=True)
    logging.disable(logging.CRITICAL)  # what goes wrong on purpose
    wrong = show_smoke(options.only)
    if options.json is not None:
        result = {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cores": cores(),
            "seed": options.seed,
            "shard": f"{which + 1}/{of}",
            "seconds": seconds,
            "drawn": len(report.drawn),
            "total": asdict(report.total),
            "scenarios": {name: asdict(row) for name, row in report.rows.items()},
            "failures": report.failures,
        }
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 1 if report.failures or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
