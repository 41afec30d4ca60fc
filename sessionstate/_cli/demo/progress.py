"""
Live progress bars, on standard error: standard output is for the report.
"""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from sessionstate._cli.demo.measure import Sample

MEGABYTE = 1e6


class Watcher:
    """
    One server's bar.
    """

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def sampled(self, sample: Sample) -> None:
        """
        Show what the server holds.
        """
        self._progress.update(
            self._task,
            held=f"{sample.sessions:,} held",
            memory=f"{sample.rss / MEGABYTE:.0f} MB",
        )

    def ended(self) -> None:
        """
        Count a conversation that the clients have ended.
        """
        self._progress.advance(self._task)

    def settles(self) -> None:
        """
        Say that the traffic is over.
        """
        self._progress.update(self._task, phase="deadlines pass")

    def settled(self) -> None:
        """
        Say that everything was counted.
        """
        self._progress.update(self._task, phase="counted")
        self._progress.stop_task(self._task)


class Unseen(Watcher):
    """
    A bar of which nothing is shown.
    """

    def __init__(self) -> None:
        progress = Progress(disable=True)
        super().__init__(progress, progress.add_task(""))


class Bars:
    """
    One bar for each server, one after the other.
    """

    def __init__(self, total: int, names: list[str]) -> None:
        self._progress = Progress(
            # "line" is ASCII: other spinners cannot be printed where the encoding is not UTF-8.
            SpinnerColumn("line", finished_text=" "),
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[held]}", style="cyan", justify="right"),
            TextColumn("{task.fields[memory]}", style="magenta", justify="right"),
            TextColumn("{task.fields[phase]}", style="dim"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            expand=True,
        )
        self._tasks = {
            name: self._progress.add_task(
                name, start=False, total=total, held="", memory="", phase="waits"
            )
            for name in names
        }

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def watch(self, name: str) -> Watcher:
        """
        Begin with the server called *name*.
        """
        task = self._tasks[name]
        self._progress.start_task(task)
        self._progress.update(task, phase="traffic")
        return Watcher(self._progress, task)
