"""
The inventory: every container that outlives a call, with a verdict.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from sessionstate.audit._findings import Container, Report, Verdict

from ._shown import cells, clean, cut, cut_front
from ._text import Line
from ._words import counted

HEADINGS: Final = ("verdict", "container", "kind", "defined", "writes", "removals", "reason")
STYLES: Final = {
    Verdict.LEAK: "bold red",
    Verdict.SUSPECT: "yellow",
    Verdict.CLEAN: "green",
    Verdict.ACCEPTED: "cyan",
}
NUMBERS: Final = (4, 5)
"""Columns that are set to the right."""
NARROWEST: Final = 110
"""Columns of the terminal below which a row is not cut any further."""
KIND: Final = 20
PART: Final = 5
"""A name, or a path, is cut to this part of the row."""


def inventory_as_text(report: Report, *, width: int = 160) -> str:
    """
    Return a table of all containers, a row each, and a last line that sums them up.

    Args:
        report: What was found.
        width: Columns that a row is cut to.
    """
    lines = inventory_lines(report, width=width)
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


def inventory_lines(report: Report, *, width: int = 160) -> Iterator[Line]:
    """
    Yield what `inventory_as_text` returns, line by line, with styles.
    """
    width = max(width, NARROWEST)
    rows = [HEADINGS, *(_row(each, width // PART) for each in report.containers)]
    widths = [max(cells(row[at]) for row in rows) for at in range(len(HEADINGS) - 1)]
    left = max(width - sum(widths) - 2 * len(widths), len(HEADINGS[-1]))
    if report.containers:
        yield [(_joined(HEADINGS, widths, left), "bold")]
    for row, container in zip(rows[1:], report.containers, strict=True):
        line = _joined(row, widths, left)
        yield [(line[: widths[0]], STYLES[container.verdict]), (line[widths[0] :], "")]
    yield from ([[]] if report.containers else [])
    yield [(_summary(report), "bold")]


def inventory_as_json(report: Report) -> str:
    """
    Return all containers as a list of objects, each with its names as in `Container`.
    """
    return json.dumps([asdict(each) for each in report.containers], indent=2) + "\n"


def _row(container: Container, width: int) -> tuple[str, ...]:
    place = container.defined
    reason = clean(container.reason)
    if container.code and not reason.startswith(container.code):
        reason = f"{container.code}: {reason}"
    return (
        container.verdict.value,
        cut(clean(container.name), width),
        cut(clean(container.kind), KIND),
        cut_front(clean(f"{place.path}:{place.line}"), width),
        str(container.writes),
        str(container.removals),
        reason,
    )


def _joined(row: tuple[str, ...], widths: list[int], left: int) -> str:
    padded: list[str] = []
    for at, (text, width) in enumerate(zip(row, widths, strict=False)):
        space = " " * (width - cells(text))
        padded.append(space + text if at in NUMBERS else text + space)
    return "  ".join([*padded, cut(row[-1], left)])


def _summary(report: Report) -> str:
    verdicts = Counter(each.verdict for each in report.containers)
    parts = ", ".join(f"{verdicts[each]} {each}" for each in Verdict if verdicts[each])
    found = counted(len(report.containers), "container")
    return f"{found} in {counted(report.files, 'file')}{': ' if parts else ''}{parts}."
