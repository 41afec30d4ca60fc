"""
Numbers and sums in words.
"""

from __future__ import annotations

from collections import Counter

from sessionstate.audit._findings import Confidence, Report
from sessionstate.audit._rules import RULES


def counted(number: int, what: str) -> str:
    """
    Return *number* with *what*, in the plural unless it is one.
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def summary(report: Report, *, confidence: Confidence = Confidence.MEDIUM) -> str:
    """
    Return in one sentence what was found.

    Args:
        report: What was found.
        confidence: How sure a finding had to be.
    """
    found = len(report.findings)
    leaks = f"Found {counted(found, 'possible leak')}" if found else "No leaks found"
    besides: list[str] = []
    if report.hidden:
        besides.append(f"{report.hidden} hidden below --confidence {confidence}")
    if report.accepted:
        besides.append(f"{len(report.accepted)} accepted")
    inside = f" ({'; '.join(besides)})" if besides else ""
    return f"{leaks} in {counted(report.files, 'file')}{inside}."


def statistics(report: Report) -> list[tuple[int, str, str, str]]:
    """
    Return how many findings there are of each code, with its name and summary; most first.
    """
    counts = Counter(finding.code for finding in report.findings)
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return [(count, code, RULES[code].name, RULES[code].summary) for code, count in ordered]
