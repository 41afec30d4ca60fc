"""
One update as plain text or JSON, for pipes and scripts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from sessionstate._cli.top._figures import (
    amount,
    bars,
    blocked_sentence,
    figures,
    suspect_interval,
)
from sessionstate._cli.top._words import (
    bar,
    clock_time,
    columns_of,
    cut,
    duration,
    number,
    percent,
    until,
    widest,
)

if TYPE_CHECKING:
    from sessionstate.dashboard._source import Overview

LONGEST_LIST: Final = 10
BAR: Final = 20
ID: Final = 40
NARROWEST: Final = 60
PIPED: Final = 120
"""Columns where nobody says how many there are: enough that nothing is cut."""


def as_json(overview: Overview) -> str:
    """
    Return an update as the server sent it, in ASCII.
    """
    return json.dumps(overview, indent=2)


def show(overview: Overview) -> None:
    """
    Print an update as text, without markup and without control characters.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = PIPED
    for part in _parts(overview, max(console.width, NARROWEST)):
        console.print(part, soft_wrap=isinstance(part, Text))


def _parts(overview: Overview, width: int) -> list[RenderableType]:
    state = "running" if overview["running"] else "left: the supervisor runs no more"
    parts: list[RenderableType] = [
        Text(
            f"{cut(overview['supervisor'], ID)}, {state}, up {duration(overview['uptime'])}, "
            f"update {overview['number']} at {clock_time(overview['at'])}"
        )
    ]
    if overview["blocked"]:
        parts.append(Text(blocked_sentence(overview["blocked"], width)))
    cells = [(label, value) for label, value, _ in figures(overview)]
    each = widest(cells)
    for line in columns_of(cells, width):
        filled = (f"{label}{value:>{each - len(label)}}" for label, value in line)
        parts.append(Text("  ".join(filled)))
    for title, heads, rows in (_suspects(overview), _deadlines(overview), _reasons(overview)):
        if rows:
            parts += [Text(f"\n{title}"), _table(heads, rows)]
    if overview["counted"]:
        parts += [Text("\nmaps and resources"), _table(*_maps(overview))]
    return parts


Shown = tuple[str, list[str], list[list[str]]]


def _suspects(overview: Overview) -> Shown:
    rows = [
        [
            cut(each["verdict"], 12),
            cut(each["name"], ID),
            cut(each["kind"], 10),
            amount(each["slope"], each["unit"]),
            suspect_interval(each),
            amount(each["count"], each["unit"]),
        ]
        for each in overview["suspects"]
    ]
    return "what may leak", ["verdict", "what", "kind", "per 1000", "99 % interval", "now"], rows


def _deadlines(overview: Overview) -> Shown:
    rows = [
        [until(each["seconds"]), cut(each["reason"], 16), cut(each["id"], ID)]
        for each in overview["deadlines"][:LONGEST_LIST]
    ]
    return "the next to end", ["in", "as", "session"], rows


def _reasons(overview: Overview) -> Shown:
    rows = [
        [cut(reason, 16), number(count), percent(share), who, bar(share, BAR)]
        for reason, count, share, who in bars(overview["reasons"])
        if count
    ]
    return "ended so far", ["as", "sessions", "share", "", ""], rows


def _maps(overview: Overview) -> tuple[list[str], list[list[str]]]:
    rows = [
        [
            cut(each["name"], ID),
            "map" if each["kind"] == "slot" else cut(each["kind"], 12),
            number(each["entries"]),
            number(each["orphans"]),
        ]
        for each in overview["counted"][:LONGEST_LIST]
    ]
    return ["name", "kind", "entries", "orphans"], rows


def _table(heads: list[str], rows: list[list[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in heads:
        table.add_column(head, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
