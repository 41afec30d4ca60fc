"""
What is shown: progress, one table, every failure.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.stress.jobs import DRAWN, Done

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OFTEN = 10.0
"""Seconds between two lines of progress, where there is no bar."""


@dataclass
class Row:
    """
    What came of one scenario, or of all that were drawn.
    """

    steps: int = 0
    points: int = 0
    runs: int = 0
    failures: int = 0
    seconds: float = 0.0


@dataclass
class Report:
    """
    What came of everything.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    drawn: dict[str, None] = field(default_factory=dict)

    def add(self, done: Done) -> None:
        """
        Take note of a job.
        """
        name = done.job.name
        if name.startswith(DRAWN):
            self.drawn[name] = None
            name = "(drawn)"
        row = self.rows.setdefault(name, Row())
        row.steps = max(row.steps, done.steps)
        row.points += done.points
        row.runs += done.runs
        row.failures += len(done.failures)
        row.seconds += done.seconds
        self.failures += done.failures

    @property
    def total(self) -> Row:
        """
        The sum of it.
        """
        rows = self.rows.values()
        return Row(
            max((row.steps for row in rows), default=0),
            sum(row.points for row in rows),
            sum(row.runs for row in rows),
            sum(row.failures for row in rows),
            sum(row.seconds for row in rows),
        )

    def table(self) -> Iterator[str]:
        """
        Give the lines of the table.
        """
        width = max(map(len, [*self.rows, "scenario"]))
        yield f"{'scenario':{width}}  steps     points       runs  failures   seconds"
        for name, row in self.rows.items():
            yield (
                f"{name:{width}}  {row.steps:5}  {row.points:9,}  {row.runs:9,}"
                f"  {row.failures:8}  {row.seconds:8.1f}"
            )

    def ending(self, seconds: float) -> str:
        """
        Return the last line.
        """
        total = self.total
        scenarios = len(self.rows) - bool(self.drawn)
        drawn = f" and {len(self.drawn):,} drawn ones" if self.drawn else ""
        return (
            f"{total.runs:,} injections into {scenarios} scenarios{drawn} in {seconds:,.0f} s, "
            f"{total.runs / max(seconds, 1e-9):,.0f} a second: {total.failures} failed"
        )


@contextmanager
def progress(jobs: int, report: Report) -> Iterator[Callable[[Done, int], None]]:
    """
    Give what to tell of each job: a bar where there is rich and a terminal, lines otherwise.
    """
    if not sys.stderr.isatty():
        yield _in_lines(report)
        return
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        yield _in_lines(report)
        return
    with Progress(console=Console(stderr=True)) as bar:
        task: Any = bar.add_task("scenarios", total=jobs)

        def tell(done: Done, waiting: int) -> None:
            report.add(done)
            total = report.total
            what = f"{total.runs:,} injections, {total.failures} failed: {done.job.name}"
            bar.update(task, completed=jobs - waiting, description=what)

        yield tell


def _in_lines(report: Report) -> Callable[[Done, int], None]:
    last = [time.monotonic()]

    def tell(done: Done, waiting: int) -> None:
        report.add(done)
        for failure in done.failures[:1]:
            print(failure, file=sys.stderr)
        if time.monotonic() - last[0] > OFTEN:
            last[0] = time.monotonic()
            total = report.total
            line = f"{total.runs:,} injections, {total.failures} failed, {waiting} jobs wait"
            print(line, file=sys.stderr)

    return tell
