"""
Findings as Markdown: what a robot comments on a pull request.
"""

from __future__ import annotations

import re
from html import escape
from typing import Final

from sessionstate.audit._findings import Confidence, Finding, Report

from ._shown import clean, cut
from ._words import counted, summary

LONGEST: Final = 60_000
"""Characters; GitHub refuses a comment of more than 65,536."""
CELL: Final = 400
"""Columns of what is said in one cell; nobody reads on."""
SPECIAL: Final = re.compile(r"([\\`*_{}\[\]|~#!])")


def as_markdown(report: Report, *, confidence: Confidence = Confidence.MEDIUM) -> str:
    """
    Return a heading and a table of the findings, short enough for a comment.
    """
    heading = f"### sessionstate audit\n\n{_escaped(summary(report, confidence=confidence))}\n"
    if not report.findings:
        return heading
    text = f"{heading}\n| Where | Rule | What | What to do |\n| --- | --- | --- | --- |\n"
    for at, finding in enumerate(report.findings):
        row = _row(finding)
        if len(text) + len(row) > LONGEST:
            return f"{text}\n{counted(len(report.findings) - at, 'more finding')}.\n"
        text += row
    return text


def _row(finding: Finding) -> str:
    what = f"{_code(finding.container)} {_escaped(finding.message)}"
    what += "".join(f"<br>{_escaped(each.message)}" for each in finding.exits)
    where = _code(f"{finding.path}:{finding.line}")
    rule = f"{finding.code} ({finding.confidence})"
    return f"| {where} | {rule} | {what} | {_escaped(finding.advice)} |\n"


def _escaped(text: str) -> str:
    """
    Return what shows as *text*, and neither formats, nor links, nor calls somebody.
    """
    shown = SPECIAL.sub(r"\\\1", escape(cut(clean(text), CELL), quote=False))
    return shown.replace("@", "&#64;").replace("://", "&#58;//").replace("www.", "www&#46;")


def _code(text: str) -> str:
    """
    Return *text* as code, within as many backticks as it takes.
    """
    text = cut(clean(text), CELL).replace("|", r"\|")
    longest = max((len(each) for each in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"
