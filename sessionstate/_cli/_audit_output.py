"""
What the audit prints, and where: never a traceback for a pipe, an encoding or a full disk.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from sessionstate.audit._findings import Confidence, Problem, Report
from sessionstate.audit._pages import page_of
from sessionstate.audit.formats import (
    as_github,
    as_json,
    as_markdown,
    as_sarif,
    as_text,
    clean,
    inventory_as_json,
    inventory_as_text,
    inventory_lines,
    statistics_as_json,
    statistics_as_text,
    summary,
    text_lines,
)

PATIENCE: Final = 2.0
"""Seconds before a progress bar is worth the lines it takes."""
WIDEST: Final = 120
"""Columns that source lines are cut to, however wide the terminal is."""
PAGE: Final = 100
"""Columns of a page of a rule."""


class AuditError(click.ClickException):
    """
    The audit could not be made, or its report not be written.
    """

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What is to be told of a report, and how.
    """

    kind: str
    """One of ``--format``."""
    what: str
    """``findings``, ``inventory`` or ``statistics``."""
    confidence: Confidence
    """How sure a finding had to be."""
    accepted: bool
    """Whether to list what is accepted."""


WAYS: Final[Mapping[tuple[str, str], Callable[[Report, Asked], str]]] = {
    ("findings", "text"): lambda report, asked: as_text(
        report, confidence=asked.confidence, accepted=asked.accepted
    ),
    ("findings", "json"): lambda report, _: as_json(report),
    ("findings", "sarif"): lambda report, _: as_sarif(report),
    ("findings", "github"): lambda report, _: as_github(report),
    ("findings", "markdown"): lambda report, asked: as_markdown(
        report, confidence=asked.confidence
    ),
    ("inventory", "text"): lambda report, _: inventory_as_text(report),
    ("inventory", "json"): lambda report, _: inventory_as_json(report),
    ("statistics", "text"): lambda report, asked: statistics_as_text(
        report, confidence=asked.confidence
    ),
    ("statistics", "json"): lambda report, _: statistics_as_json(report),
}


def can_tell(what: str, kind: str) -> bool:
    """
    Tell whether there is a way to tell *what* as *kind*.
    """
    return (what, kind) in WAYS


def show(report: Report, asked: Asked) -> None:
    """
    Print the report, with colours if it is text on a terminal.
    """
    console = Console(highlight=False, soft_wrap=True)
    if asked.kind == "text" and asked.what == "findings" and console.is_terminal:
        lines = text_lines(
            report,
            confidence=asked.confidence,
            width=min(console.width, WIDEST),
            accepted=asked.accepted,
        )
    elif asked.kind == "text" and asked.what == "inventory" and console.is_terminal:
        lines = inventory_lines(report, width=console.width)
    else:
        click.echo(WAYS[asked.what, asked.kind](report, asked), nl=False)
        return
    for line in lines:
        console.print(Text.assemble(*line))


def write(file: Path, report: Report, asked: Asked) -> None:
    """
    Write the report to *file*, and tell on standard error what it sums up to.
    """
    text = WAYS[asked.what, asked.kind](report, asked)
    try:
        file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise AuditError(f"{str(file)!r} could not be written: {error.strerror}") from error
    note(f"{summary(report, confidence=asked.confidence)} It is written to {file}.")


def explain(code: str) -> None:
    """
    Print the page of a rule: set on a terminal, as Markdown where there is none.
    """
    console = Console()
    if console.is_terminal:
        console.print(Markdown(page_of(code)), width=min(console.width, PAGE))
    else:
        click.echo(page_of(code), nl=False)


def note(text: str) -> None:
    """
    Print one line to standard error.
    """
    click.echo(clean(text), err=True)


def tell_problems(problems: Iterable[Problem]) -> None:
    """
    Print to standard error what could not be audited, a line each.
    """
    for each in problems:
        where = each.path
        if each.line and not each.message.startswith("line "):
            where = f"{where}:{each.line}"
        note(f"warning: {where}: {each.message}")


@contextmanager
def quiet_ends() -> Iterator[None]:
    """
    Let what an encoding lacks be replaced, and a reader that has seen enough go.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        # On Windows a closed pipe is an invalid argument.
        if error.errno not in (errno.EPIPE, errno.EINVAL):
            raise AuditError(f"the report could not be written: {error.strerror}") from error
        # What is still in the buffer would fail again as the interpreter ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextmanager
def progress() -> Iterator[Callable[[int, int], None]]:
    """
    Show on a terminal how many files are done, if it takes long enough to wonder.
    """
    console = Console(stderr=True)
    bars = Progress(
        TextColumn("auditing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files"),
        console=console,
        transient=True,
    )
    task = bars.add_task("auditing")
    began = monotonic()

    def so_many(done: int, total: int) -> None:
        if not console.is_terminal:
            return
        if not bars.live.is_started and monotonic() - began >= PATIENCE:
            bars.start()
        bars.update(task, completed=done, total=total)

    try:
        yield so_many
    finally:
        if bars.live.is_started:
            bars.stop()
