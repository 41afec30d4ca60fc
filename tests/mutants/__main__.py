"""
Seed defects, one at a time, and see which test finds each: `python -m tests.mutants`.

Each worker has a copy of the tree, in which the tests pass before the first defect is seeded. Those
that are expected to find a defect run first, then the rest of those that are quick; what hangs is
ended, and counts as found. The exit status is 1 if more survive than may: fewer than 95 % found, or
one whose survival nobody has explained.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from tests.mutants import MUTANTS
from tests.mutants.mutant import ROOT, Mutant

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST: Final = 0.95
PATIENCE: Final = 120.0  # seconds for the tests that are expected to find a defect
LONG: Final = 900.0  # for all others
COPIED: Final = ("sessionstate", "tests", "pyproject.toml", "README.md", "docs", "examples")
APART: Final = ("benchmarks*", "cli", "demo*", "documentation", "examples*", "machines", "mutants")
"""Tests of something else, or of what tests."""
SLOW: Final = ("leakcheck*", "plugin*", "processes*", "servers", "signals*", "soak", "run*")
"""Those that are long, or depend on how busy the machine is: they run where they are expected."""


@dataclass(frozen=True)
class Verdict:
    """
    What became of one mutant.
    """

    name: str
    killed_by: str
    """The first test that failed, or what else ended the run; empty if it survived."""
    seconds: float
    survives: str
    """Why nothing can find it, if somebody knows."""


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """
    Read the command line.
    """
    names = [each.name for each in MUTANTS]
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdicts there")
    parser.add_argument("--hinted", action="store_true", help="run the expected tests alone")
    return parser.parse_args(argv)


def copy_tree(to: Path) -> None:
    """
    Copy what the tests need to *to*.
    """
    ignore = shutil.ignore_patterns("__pycache__", "_build", ".hypothesis")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=ignore)
        else:
            shutil.copy2(source, to / name)


def pytest(tree: Path, tests: Sequence[str], patience: float = PATIENCE) -> str:
    """
    Run *tests* in *tree*; return what failed first, or an empty string.
    """
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    paths = {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=tree,
            env=os.environ | paths,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(patience)
        except subprocess.TimeoutExpired:
            return f"hangs for {patience:g} s"
        finally:
            _end(process)
        if code == 0:
            return ""
        output.seek(0)
        lines = output.read().decode(errors="replace").splitlines()
    for line in reversed(lines):
        if line.startswith(("FAILED ", "ERROR ")):
            return line.partition(" ")[2].partition(" - ")[0]
    return f"exit status {code}: {lines[-1] if lines else ''}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End *process*, with what it started."""
    if process.poll() is None:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, 9)
        process.wait()


def file_of(name: str) -> str:
    """
    Return the path of a test's file.
    """
    return f"tests/test_{name}.py"


def all_but(*names: str) -> list[str]:
    """
    Return what runs the quick tests but those of *names*.
    """
    return ["tests", *(f"--ignore-glob={file_of(name)}" for name in (*APART, *SLOW, *names))]


def check_sound(mutants: Sequence[Mutant], tree: Path, *, hinted: bool) -> None:
    """
    Exit unless the tests pass without any defect: else all of them would be found.
    """
    names = dict.fromkeys(name for each in mutants for name in each.killers)
    tests = [file_of(name) for name in names] if hinted else all_but()
    failed = pytest(tree, tests, 2 * LONG)
    if failed:
        sys.exit(f"the tests fail without any defect: {failed}")


def judge(mutant: Mutant, tree: Path, *, hinted: bool) -> Verdict:
    """
    Seed *mutant* in *tree*, run the tests, and take it out again.
    """
    path = mutant.path(tree)
    source = path.read_text(encoding="utf-8")
    began = time.perf_counter()
    path.write_text(mutant.applied(source), encoding="utf-8")
    try:
        killed_by = pytest(tree, [file_of(name) for name in mutant.killers])
        if not killed_by and not hinted:
            killed_by = pytest(tree, all_but(*mutant.killers), LONG)
    finally:
        path.write_text(source, encoding="utf-8")
    return Verdict(mutant.name, killed_by, time.perf_counter() - began, mutant.survives)


def judge_all(mutants: Sequence[Mutant], jobs: int, *, hinted: bool) -> list[Verdict]:
    """
    Judge *mutants*, so many at once, and print each verdict as it comes.
    """
    trees: SimpleQueue[Path] = SimpleQueue()
    width = max(len(each.name) for each in mutants)

    def one(mutant: Mutant) -> Verdict:
        tree = trees.get()
        try:
            verdict = judge(mutant, tree, hinted=hinted)
        finally:
            trees.put(tree)
        outcome = verdict.killed_by or f"SURVIVES {verdict.survives or '(unexplained)'}"
        print(f"{verdict.name:{width}} {verdict.seconds:6.1f} s  {outcome}", flush=True)
        return verdict

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder)
        for job in range(jobs):
            tree = Path(folder) / str(job)
            tree.mkdir()
            copy_tree(tree)
            trees.put(tree)
        check_sound(mutants, tree, hinted=hinted)
        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, mutants))


def main(argv: Sequence[str] | None = None) -> int:
    """
    Judge what the command line asks for.
    """
    options = arguments(argv)
    mutants = [each for each in MUTANTS if options.only is None or each.name in options.only]
    began = time.perf_counter()
    verdicts = judge_all(mutants, options.jobs, hinted=options.hinted)
    killed = sum(bool(each.killed_by) for each in verdicts)
    unexplained = [each.name for each in verdicts if not each.killed_by and not each.survives]
    share = killed / len(verdicts)
    took = time.perf_counter() - began
    print(f"{killed} of {len(verdicts)} mutants killed ({share:.1%}) in {took:.0f} s")
    if unexplained:
        print(f"survivors that nobody has explained: {', '.join(unexplained)}")
    if options.json:
        whole = {"killed": killed, "mutants": [asdict(each) for each in verdicts]}
        options.json.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return 1 if unexplained or share < LEAST else 0


if __name__ == "__main__":
    sys.exit(main())
