"""
A leak report as text: one line for who failed, a table for who reads on.
"""

from __future__ import annotations

import linecache
import os
import sys
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sessionstate._slopes import slope

from ._reprs import short_text
from ._verdicts import LeakRow, Verdict

if TYPE_CHECKING:
    from ._leak_report import LeakReport

GIB: Final = 2**30
MILLION: Final = 1_000_000
MOST: Final = 2
"""Things that the first line names."""
SMALL: Final = 1 / 8
"""The share of the floor below which a site is not worth a line."""
SITES: Final = 4
"""Allocation sites that are shown: the first ones."""
HANDED_ON: Final = (
    "memory that one line freed may be handed to a later one: believe your largest first"
)
HEADINGS: Final = ("", "what", "per 1000 requests", "99 % interval", "floor", "left")


def headline(report: LeakReport) -> str:
    """
    Return the verdict with what it rests on, in one line.
    """
    return f"{report.verdict.upper()} {report.subject}: {gist(report)}"


def gist(report: LeakReport) -> str:
    """
    Return what the verdict rests on, in one line.
    """
    total = _total(report)
    if report.verdict is Verdict.BOUNDED:
        return (
            f"nothing grows by more than its floor in {report.requests:,} requests; memory "
            f"{growth(total)}/1000 requests {interval(total)}, floor {size(report.floor)}"
        )
    if report.verdict is Verdict.INCONCLUSIVE:
        rounds = report.rounds + report.needs // report.requests_each
        return (
            f"{report.requests:,} requests do not tell; make at least {rounds} rounds: "
            f"--rounds {rounds} / rounds={rounds}"
        )
    counted = [row for row in report.leaks if row.kind in ("invariant", "container")]
    parts = [f"{row.name} {growth(row)}/1000 requests {interval(row)}" for row in counted[:MOST]]
    if total in report.leaks or not counted:
        parts.append(f"memory {growth(total)}/1000 requests {interval(total)}")
    if counted:
        parts += [f"{row.example} {came_from(row)}".strip() for row in counted[:1]]
    else:
        parts.append(_worst(report))
    if total in report.leaks:
        parts.append(f"would reach 1 GiB in {_millions(GIB / total.slope * 1000)} requests")
    return "; ".join(filter(None, parts))


def _worst(report: LeakReport) -> str:
    """
    Name the line to begin with, which need not be the one with the most bytes.
    """
    sites = _sites(report)
    if not sites:
        return ""
    first = next((row for row in sites if row.verdict is Verdict.LEAK), sites[0])
    most = all(row.slope <= first.slope for row in sites if row.verdict is first.verdict)
    what = "most of it" if most else "from your own code most"
    at = "at" if ":" in first.name else "in"
    place = f"{what} {growth(first)} {at} {short(first.name)}"
    return ", ".join(filter(None, [place, came_from(first)]))


def text(report: LeakReport) -> str:
    """
    Return the whole, as a table.
    """
    rows = shown(report)
    lines = [
        (word(row), _title(row), growth(row), interval(row), _floor(row), left(row)) for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *lines, strict=True)]
    parts = [headline(report), "", _line(HEADINGS, widths)]
    for row, line in zip(rows, lines, strict=True):
        origin = ": ".join(filter(None, [came_from(row), source(row.where)]))
        notes = [row.example, origin, more(report) if row.kind == "rest" else ""]
        parts += [_line(line, widths)]
        parts += [f"{' ' * (widths[0] + 4)}{note}" for note in notes if note]
    return "\n".join([*parts, "", *footnotes(report)])


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = (
        cell.rjust(width) if column > 1 else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()


def shown(report: LeakReport) -> list[LeakRow]:
    """
    Return the rows to show: what leaks, what cannot be told, the first sites, and the sums.
    """
    sites = _growing(report)[:SITES]
    rows = whole(report, sites) if sites else [row for row in report.rows if row.kind != "site"]
    return [row for row in rows if row.kind not in ("invariant", "container") or not _held(row)]


def more(report: LeakReport) -> str:
    """
    Tell how many lines grow that are not shown, and where they are.
    """
    number = len(_growing(report)) - SITES
    if number < 1:
        return ""
    lines = "line grows" if number == 1 else "lines grow"
    return f"and {number} more {lines}; --report leaks.html / report.html() shows all"


def whole(report: LeakReport, sites: list[LeakRow] | None = None) -> list[LeakRow]:
    """
    Return what was counted, *sites*, all others as one row, and the sums: so they add up.

    Without *sites* it is all that are told.
    """
    sites = _sites(report) if sites is None else sites
    total = _total(report)
    values = [
        everything - sum(parts)
        for everything, *parts in zip(total.values, *(each.values for each in sites), strict=True)
    ]
    found = slope(values[report.dropped :], report.requests_each)
    rest = total.slope - sum(row.slope for row in sites)
    others = replace(
        total,
        name="other lines",
        kind="rest",
        slope=rest,
        low=min(found.low, rest),
        high=max(found.high, rest),
        verdict=None,
        values=tuple(values),
    )
    counted = [row for row in report.rows if row.kind in ("invariant", "container")]
    sums = [row for row in report.rows if row.kind in ("total", "rss")]
    return [*counted, *sites, others, *sums]


def _sites(report: LeakReport) -> list[LeakRow]:
    return [row for row in report.rows if row.kind == "site"]


def _growing(report: LeakReport) -> list[LeakRow]:
    return [row for row in _sites(report) if row.slope > row.floor * SMALL]


def _total(report: LeakReport) -> LeakRow:
    return next(row for row in report.rows if row.kind == "total")


def _held(row: LeakRow) -> bool:
    """
    Tell whether a row that was counted does not grow; what may grow, within a limit, still does.
    """
    return row.verdict is Verdict.BOUNDED and not 0 < row.slope <= row.floor


def footnotes(report: LeakReport) -> list[str]:
    """
    Say what held, and what it was measured with.
    """
    held = [
        row.name for row in report.rows if row.kind in ("invariant", "container") and _held(row)
    ]
    several = sum(row.kind == "site" for row in shown(report)) > 1
    return [
        f"counted, and not growing: {', '.join(held)}",
        (
            f"{report.rounds} rounds of {report.requests_each} requests, the first "
            f"{report.dropped} warm-up, in {report.seconds:.1f} s; RSS never decides"
        ),
        *([HANDED_ON] if several else []),
        *report.notes,
    ]


def word(row: LeakRow) -> str:
    """
    Return the verdict of a row as a word.
    """
    return "shown" if row.verdict is None else row.verdict.value


def _title(row: LeakRow) -> str:
    return short(row.name) if row.kind == "site" else row.name


def source(place: str) -> str:
    """
    Return the line of the source at *place*, if it can be read.
    """
    file, _, line = place.rpartition(":")
    return short_text(linecache.getline(file, int(line)).strip()) if line.isdecimal() else ""


def came_from(row: LeakRow) -> str:
    """
    Tell where a row comes from.
    """
    if not row.where:
        return ""
    how = {"site": "called from", "container": "made at"}.get(row.kind, "at")
    return f"{how} {short(row.where)}"


def growth(row: LeakRow) -> str:
    """
    Return the slope of a row with its unit.
    """
    return amount(row, row.slope, sign=True) + ("" if row.unit == "bytes" else f" {row.unit}")


def interval(row: LeakRow) -> str:
    """
    Return the interval of a row.
    """
    if not isfinite(row.low):
        return "(too few samples)"
    return f"({amount(row, row.low)}..{amount(row, row.high)})"


def left(row: LeakRow) -> str:
    """
    Return the last sample of a row.
    """
    return amount(row, row.values[-1])


def amount(row: LeakRow, value: float, *, sign: bool = False) -> str:
    """
    Return *value* in the unit of *row*.
    """
    return size(value, sign=sign) if row.unit == "bytes" else f"{value:{'+' if sign else ''},.4g}"


def size(value: float, *, sign: bool = False) -> str:
    """
    Return a number of bytes for people.
    """
    plus = "+" if sign else ""
    for limit, unit in ((2**30, "GB"), (2**20, "MB"), (2**10, "KB")):
        if abs(value) >= limit:
            return f"{value / limit:{plus},.1f} {unit}"
    return f"{value:{plus},.0f} B"


def short(place: str) -> str:
    """
    Return a place in the source, relative to the current directory or to where modules lie.
    """
    for folder in sorted({str(Path.cwd()), *sys.path}, key=len, reverse=True):
        if folder and place.startswith(folder + os.sep):
            return place.removeprefix(folder + os.sep)
    return place


def _floor(row: LeakRow) -> str:
    return "" if row.verdict is None else amount(row, row.floor)


def _millions(number: float) -> str:
    return f"{number / MILLION:,.1f} M" if number >= MILLION else f"{number:,.0f}"
