"""
The table side by side: its rows, and how a terminal shows them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sessionstate._cli.demo.measure import Outcome, Report

MEGABYTE = 1e6
FEWEST_FOR_MEMORY = 500


class Row(NamedTuple):
    """
    One line of the table, as text; `good` tells how each figure is to be seen, None is neither.
    """

    title: str
    plain: str
    scoped: str
    good: tuple[bool | None, bool | None] = (None, None)


class Section(NamedTuple):
    """
    Rows that belong together.
    """

    title: str
    rows: list[Row]


def sections(report: Report) -> list[Section]:
    """
    Lay out the figures of both runs.
    """
    both = report.plain, report.scoped

    def row(title: str, show: Callable[[Outcome], str]) -> Row:
        return Row(title, show(both[0]), show(both[1]))

    def left(
        title: str, count: Callable[[Outcome], int], of: Callable[[Outcome], int] | None = None
    ) -> Row:
        first, second = (
            f"{count(one):,}" if of is None else f"{count(one):,} of {of(one):,}" for one in both
        )
        return Row(title, first, second, (count(both[0]) == 0, count(both[1]) == 0))

    served = Section(
        "The same traffic",
        [
            row("conversations", lambda one: f"{one.conversations:,}"),
            row("requests answered", lambda one: f"{one.requests:,}"),
            row(
                "came back and found their state",
                lambda one: f"{one.reconnects_found:,} of {one.reconnects:,}",
            ),
            row(
                "webhooks taken",
                lambda one: f"{one.webhooks.taken:,} of {one.webhooks.sent:,}",
            ),
        ],
    )
    if report.plain.cut_short or report.scoped.cut_short:
        served.rows.append(row("cut short by the server", lambda one: f"{one.cut_short:,}"))
    return [
        served,
        Section(
            "How conversations ended",
            [
                row("by goodbye or event", lambda one: share(one.ended_by_goodbye, one)),
                row("by deadline", lambda one: share(one.ended_by_deadline, one)),
                row("not at all", lambda one: share(one.never_ended, one)),
            ],
        ),
        Section(
            "Left when every deadline had passed",
            [
                left("sessions", lambda one: one.left.sessions),
                left("map entries", lambda one: one.left.map_entries),
                left("tasks", lambda one: one.left.tasks),
                left("contexts still open", lambda one: one.left.contexts),
                left("agents still in memory", lambda one: one.left.agents),
                left("sub-agents still in memory", lambda one: one.left.sub_agents),
                left("listeners on the bus", lambda one: one.left.listeners),
                left("tool processes", lambda one: one.left.tools),
                left("processes that tools started", lambda one: one.left.grandchildren),
                left("webhook signatures, all too old", lambda one: one.left.signatures),
            ],
        ),
        Section(
            "Webhooks sent again by somebody else",
            [
                left(
                    "acted upon",
                    lambda one: one.webhooks.replays_taken,
                    of=lambda one: one.webhooks.replays,
                )
            ],
        ),
        Section(
            "Memory (RSS)",
            [
                row("at the start", lambda one: megabytes(one.rss_start)),
                row("at its highest", lambda one: megabytes(one.rss_peak)),
                row("at the end", lambda one: megabytes(one.rss_end)),
                row(
                    "added per 1,000 requests",
                    lambda one: f"{one.rss_per_1000_requests / MEGABYTE:+.2f} MB",
                ),
                row(
                    "the same, second half alone",
                    lambda one: f"{one.rss_per_1000_late_requests / MEGABYTE:+.2f} MB",
                ),
            ],
        ),
    ]


def share(count: int, outcome: Outcome) -> str:
    """
    Write a count with its share of all conversations.
    """
    return f"{count:,} ({count / outcome.conversations:.0%})"


def megabytes(size: float) -> str:
    """
    Write bytes as megabytes.
    """
    return f"{size / MEGABYTE:.1f} MB"


def caution(report: Report) -> str | None:
    """
    Say so where a run is too short for its memory figures to mean much.
    """
    if report.sessions >= FEWEST_FOR_MEMORY:
        return None
    return (
        f"With fewer than {FEWEST_FOR_MEMORY} conversations, memory is mostly that of a server"
        " warming up."
    )


def verdict(report: Report) -> str:
    """
    Say in one sentence what sessionstate has left, and what it took twice.
    """
    plain, scoped = report.plain.webhooks, report.scoped.webhooks
    if report.clean:
        return (
            f"sessionstate has nothing left of {report.sessions:,} conversations and acted upon"
            f" no replay; plain dicts have {report.plain.left}, and acted upon"
            f" {plain.replays_taken:,} replays."
        )
    wrong = [f"acted upon {scoped.replays_taken:,} replays"] if scoped.replays_taken else []
    if not report.scoped.left.nothing:
        wrong.insert(0, f"has something left: {report.scoped.left}")
    return f"sessionstate {', and '.join(wrong)}."


def table(report: Report) -> Table:
    """
    Make the table for a terminal.
    """
    made = Table(
        title=f"{report.sessions:,} conversations, twice (seed {report.seed})",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    made.add_column("", min_width=34)
    made.add_column(report.plain.name, justify="right", min_width=16)
    made.add_column(report.scoped.name, justify="right", min_width=16)
    for section in sections(report):
        made.add_section()
        made.add_row(Text(section.title, style="bold"))
        for row in section.rows:
            plain, scoped = (
                Text(figure, style={True: "green", False: "red", None: ""}[good])
                for figure, good in zip((row.plain, row.scoped), row.good, strict=True)
            )
            made.add_row(Text(f"  {row.title}"), plain, scoped)
    return made


def show(report: Report, output: Path, console: Console | None = None) -> None:
    """
    Print the table, the verdict, and where the files are.
    """
    console = console or Console()
    console.print()
    console.print(table(report))
    console.print(Text(verdict(report), style="bold green" if report.clean else "bold red"))
    if (words := caution(report)) is not None:
        console.print(Text(words, style="yellow"))
    console.print(
        Text(f"{report.seconds:.0f} s in all. Charts: {output / 'index.html'}", style="dim"),
        soft_wrap=True,
    )
