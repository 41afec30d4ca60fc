"""
Findings as workflow commands: what GitHub Actions shows beside the lines of a pull request.
"""

from __future__ import annotations

from typing import Final

from sessionstate.audit._findings import Finding, Report, Severity
from sessionstate.audit._rules import RULES

from ._shown import clean

COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def as_github(report: Report) -> str:
    """
    Return a workflow command for each finding, one a line.
    """
    return "".join(f"{_command(finding)}\n" for finding in report.findings)


def _command(finding: Finding) -> str:
    said = [f"{finding.container}: {finding.message}", *(each.message for each in finding.exits)]
    if finding.advice:
        said.append(f"help: {finding.advice}")
    properties = {
        "title": f"{finding.code} {RULES[finding.code].name} [{finding.confidence}]",
        "file": finding.path,
        "line": str(finding.line),
        "col": str(finding.column),
    }
    inside = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    message = "%0A".join(_data(clean(each)) for each in said)
    return f"::{COMMANDS[finding.severity]} {inside}::{message}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
