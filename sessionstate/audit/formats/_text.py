"""
Findings as text: what a person reads in a terminal.

Each has a head line, and then the story in source lines: written here, removed here, but not if the
function is left there. Lines consist of pieces with the names of their styles, which `rich` knows
and `as_text` drops.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from sessionstate.audit._findings import Confidence, Finding, Place, Report, Severity

from ._shown import LineAt, around, cells, clean, source_lines
from ._words import counted, statistics, summary

Line = list[tuple[str, str]]
"""Pieces of text, each with the name of its style."""

STYLES: Final = {
    Severity.ERROR: "bold red",
    Severity.WARNING: "bold yellow",
    Severity.INFO: "bold cyan",
}
GUTTER: Final = "blue"
HELP: Final = "cyan"
MOST: Final = 3
"""Removals that are shown, and ways out."""
NARROWEST: Final = 40
COMMENT: Final = re.compile(r"\s+#[^'\"]*$")


@dataclass(frozen=True, slots=True)
class Mark:
    """
    A line of source with something to say about it.
    """

    place: Place
    label: str
    sign: str
    style: str


def as_text(
    report: Report,
    *,
    confidence: Confidence = Confidence.MEDIUM,
    line_at: LineAt | None = None,
    width: int = 120,
    accepted: bool = False,
) -> str:
    """
    Return the findings as text, without colours, and a last line that sums them up.

    Args:
        report: What was found.
        confidence: How sure a finding had to be.
        line_at: Returns the source line of a path and a number; read from the files by default.
        width: Columns that source lines are cut to.
        accepted: Whether to list what a comment or the baseline accepts.
    """
    return _plain(
        text_lines(report, confidence=confidence, line_at=line_at, width=width, accepted=accepted)
    )


def statistics_as_text(report: Report, *, confidence: Confidence = Confidence.MEDIUM) -> str:
    """
    Return how many findings there are of each rule, and a last line that sums them up.
    """
    rows = statistics(report)
    widest = max((len(str(count)) for count, *_ in rows), default=0)
    names = max((len(name) for _, _, name, _ in rows), default=0)
    lines = [
        f"{count:>{widest}}  {code:<6}  {name:<{names}}  {what}" for count, code, name, what in rows
    ]
    lines += [""] if lines else []
    return "\n".join([*lines, summary(report, confidence=confidence), ""])


def text_lines(
    report: Report,
    *,
    confidence: Confidence = Confidence.MEDIUM,
    line_at: LineAt | None = None,
    width: int = 120,
    accepted: bool = False,
) -> Iterator[Line]:
    """
    Yield what `as_text` returns, line by line, with styles.
    """
    line_at = line_at or source_lines()
    for finding in report.findings:
        yield from _finding_lines(finding, line_at, max(width, NARROWEST))
        yield []
    if accepted and report.accepted:
        for each in report.accepted:
            yield [
                *_head(each.finding),
                (" accepted: ", ""),
                (clean(each.reason), "dim"),
            ]
        yield []
    last = summary(report, confidence=confidence)
    yield [(last, "bold red" if report.findings else "bold green")]


def _plain(lines: Iterable[Line]) -> str:
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


def _head(finding: Finding) -> Line:
    return [
        (clean(finding.path), "bold"),
        (f":{finding.line}:{finding.column}: ", "dim"),
        (finding.code, STYLES[finding.severity]),
        (f" [{finding.confidence}] ", "dim"),
        (clean(finding.container), "bold"),
    ]


def _finding_lines(finding: Finding, line_at: LineAt, width: int) -> Iterator[Line]:
    marks = list(_marks(finding))
    digits = max(len(str(mark.place.line)) for mark in marks)
    gutter = f"{'':{digits}} |"
    yield [*_head(finding), (f": {clean(finding.message)}", "")]
    yield [(gutter, GUTTER)]
    last = Place(finding.path, 0, 0)
    for mark in marks:
        place = mark.place
        if place.path != last.path:
            yield [(f"{'':{digits}}::: ", GUTTER), (f"{clean(place.path)}:{place.line}", "bold")]
        elif last.line and place.line not in (last.line, last.line + 1):
            yield [("...", GUTTER)]
        shown, offset, length = _shown(place, line_at, width - digits - 3)
        if (place.path, place.line) != (last.path, last.line):
            yield [(f"{place.line:>{digits}} | ", GUTTER), (shown, "")]
        length = max(1, min(length, width - digits - 3 - offset - 1 - cells(mark.label)))
        sign = f"{'':{offset}}{mark.sign * length} {mark.label}"
        yield [(f"{gutter} ", GUTTER), (sign, mark.style)]
        last = place
    for what, places in (("more removal", finding.removals), ("more exit", finding.exits)):
        if len(places) > MOST:
            yield [(f"{gutter} ", GUTTER), (f"and {counted(len(places) - MOST, what)}", "dim")]
    if finding.advice:
        yield [(gutter, GUTTER)]
        yield [
            (f"{'':{digits}} = ", GUTTER),
            ("help: ", HELP),
            (clean(finding.advice), ""),
        ]


def _marks(finding: Finding) -> Iterator[Mark]:
    """
    Yield the lines that tell the story: the write, the removals, the ways out that miss them.
    """
    style = STYLES[finding.severity]
    at = Place(finding.path, finding.line, finding.column)
    first = next((each for each in finding.writes if _same(each, at)), at)
    others = [each for each in finding.writes if not _same(each, at)]
    label = "written here" if finding.writes else "here"
    if others:
        lines = ", ".join(
            f"{each.line}" if each.path == at.path else f"{clean(each.path)}:{each.line}"
            for each in others[:MOST]
        )
        more = f" and {len(others) - MOST} more" if len(others) > MOST else ""
        label += f", and at {'line' if len(others) == 1 else 'lines'} {lines}{more}"
    yield Mark(first, label, "^", style)
    for place in finding.removals[:MOST]:
        yield Mark(place, "removed here, but" if finding.exits else "removed here", "-", HELP)
    for each in finding.exits[:MOST]:
        yield Mark(Place(finding.path, each.line, 0), clean(each.message), "^", style)


def _same(one: Place, other: Place) -> bool:
    return (one.path, one.line) == (other.path, other.line)


def _shown(place: Place, line_at: LineAt, width: int) -> tuple[str, int, int]:
    """
    Return the source line of *place*, and where in it the mark begins and how long it is.
    """
    line = line_at(place.path, place.line).rstrip()
    if place.text and line.strip() != place.text.strip():
        line = place.text.strip()  # the file has changed since, or cannot be read
        column = 0
    else:
        indent = len(line) - len(line.lstrip())
        column = max(place.column - 1, indent) if place.column <= len(line) else indent
    shown, offset = around(line, column, width)
    code = COMMENT.sub("", shown)
    return shown, offset, cells(code) - offset
