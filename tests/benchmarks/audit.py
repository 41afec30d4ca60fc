"""
How fast `sessionstate audit` reads, and what memory it takes: `python -m tests.benchmarks.audit`.

It reads the packages that are installed beside it, copied to a folder of their own: cold on one
processor, cold on all, and warm from the cache; then so and so many files. Each figure is from a
process of its own. The join of all files, which follows, is not measured.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from sessionstate.audit._reading import read
from sessionstate.audit._settings import Settings

ROOT = Path(__file__).parents[2]
FILES = (1_000, 3_000, 10_000)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """
    Read the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.audit", description=__doc__)
    installed = Path(sysconfig.get_path("purelib"))
    parser.add_argument("--source", type=Path, default=installed, help="packages to read")
    parser.add_argument("--files", type=int, nargs="+", default=FILES, help="how many, for memory")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def measure_here(folder: str, settings: dict[str, Any]) -> dict[str, float]:
    """
    Read *folder* in this process.
    """
    wall, processor = perf_counter(), process_time()
    found = read([folder], Settings(root=Path(folder), exclude=("!build", "!dist"), **settings))
    return {
        "files": found.files,
        "lines": found.lines,
        "problems": len(found.problems),
        "seconds": perf_counter() - wall,
        "processor": process_time() - processor,
        "peak_mb": peak_mb(),
    }


def peak_mb() -> float:
    """
    Return the most memory that this process had, in MB; 0 where that is not told.
    """
    try:
        import resource
    except ImportError:
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def measure_apart(folder: Path, **settings: Any) -> dict[str, float]:
    """
    Read *folder* in a process of its own.
    """
    child = json.dumps([str(folder), settings])
    command = [sys.executable, "-m", "tests.benchmarks.audit", "--child", child]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def copied(source: Path, target: Path, most: int | None = None) -> None:
    """
    Copy the Python files below *source*, over again until there are *most*.
    """
    paths = sorted(source.rglob("*.py"))
    for number in range(most if most is not None else len(paths)):
        again, which = divmod(number, len(paths))
        file = target / f"copy_{again}" / paths[which].relative_to(source)
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(paths[which], file)
        if again:  # as in a project, no two files are the same
            with file.open("ab") as appended:
                appended.write(b"\n# %d\n" % again)


def main() -> int:
    """
    Measure, and print a line for each figure.
    """
    options = arguments()
    if options.child:
        folder, settings = options.child
        print(json.dumps(measure_here(folder, settings)))
        return 0
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary, "whole")
        copied(options.source, whole)
        figures["cold, one processor"] = measure_apart(whole, jobs=1, cache=False)
        figures[f"cold, {os.cpu_count()} processors"] = measure_apart(whole)
        figures["warm"] = measure_apart(whole, jobs=1)
        for number in options.files:
            part = Path(temporary, str(number))
            copied(options.source, part, number)
            figures[f"{number} files, cold"] = measure_apart(part, jobs=1)
            figures[f"{number} files, warm"] = measure_apart(part, jobs=1)
    for name, figure in figures.items():
        speed = figure["lines"] / figure["seconds"]
        print(
            f"{name:25} {figure['files']:8,.0f} files {figure['lines']:10,.0f} lines"
            f" {figure['seconds']:7.2f} s {speed:10,.0f} lines/s {figure['peak_mb']:6.0f} MB"
        )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
