"""
Findings as JSON: what another program reads.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from sessionstate.audit._findings import Finding, Place, Report

from ._words import statistics


def as_json(report: Report) -> str:
    """
    Return the findings as a list of objects, each with its names as in `Finding`.
    """
    return _dumped([_object(finding) for finding in report.findings])


def statistics_as_json(report: Report) -> str:
    """
    Return how many findings there are of each rule, as a list of objects.
    """
    return _dumped(
        [
            {"code": code, "name": name, "count": count, "summary": what}
            for count, code, name, what in statistics(report)
        ]
    )


def _dumped(value: object) -> str:
    # In ASCII: file names may hold what cannot be encoded.
    return json.dumps(value, indent=2) + "\n"


def _object(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "code": finding.code,
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "container": finding.container,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "message": finding.message,
        "exits": [asdict(each) for each in finding.exits],
        "writes": [_place(each) for each in finding.writes],
        "removals": [_place(each) for each in finding.removals],
        "defined": None if finding.defined is None else _place(finding.defined),
        "advice": finding.advice,
    }


def _place(place: Place) -> dict[str, object]:
    return asdict(place)
