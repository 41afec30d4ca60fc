"""
Findings as SARIF 2.1.0: what code scanning and editors read.

A finding is known again by its fingerprint, which is of the rule, the file, the container and the
how manieth it is, and not of the line, so that an alert survives edits above it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final
from urllib.parse import quote

from sessionstate.audit._findings import Confidence, Exit, Finding, Place, Problem, Report, Severity
from sessionstate.audit._pages import page_of
from sessionstate.audit._rules import RULES

from ._shown import clean

SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
RANKS: Final = {Confidence.HIGH: 90.0, Confidence.MEDIUM: 60.0, Confidence.LOW: 30.0}

Json = dict[str, Any]


def as_sarif(report: Report) -> str:
    """
    Return the findings as a SARIF log of one run.

    Each way out that misses the removal is a code flow, which leads from the write to it.
    """
    driver: Json = {"name": "sessionstate audit", "rules": [_rule(code) for code in RULES]}
    try:
        driver["version"] = version("sessionstate")
    except PackageNotFoundError:
        pass
    seen: Counter[str] = Counter()
    run: Json = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [_notification(each) for each in report.problems],
            }
        ],
        "results": [_result(finding, seen) for finding in report.findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(code: str) -> Json:
    rule = RULES[code]
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": f"{rule.summary[0].upper()}{rule.summary[1:]}."},
        # The page itself: a helpUri must be absolute, and where the pages are served may change.
        "help": {
            "text": f"{rule.summary}: run 'sessionstate audit --explain {code}'",
            "markdown": page_of(code),
        },
        "properties": {"tags": ["memory", "reliability"]},
    }


def _result(finding: Finding, seen: Counter[str]) -> Json:
    same = f"{finding.code}\0{finding.path}\0{finding.container}"
    seen[same] += 1
    fingerprint = f"{hashlib.sha256(same.encode(errors='replace')).hexdigest()[:16]}:{seen[same]}"
    at = Place(finding.path, finding.line, finding.column)
    first = next(
        (each for each in finding.writes if (each.path, each.line) == (at.path, at.line)), at
    )
    result: Json = {
        "ruleId": finding.code,
        "ruleIndex": [*RULES].index(finding.code),
        "level": LEVELS[finding.severity],
        "rank": RANKS[finding.confidence],
        "message": {"text": _message(finding)},
        "locations": [_location(first)],
        "partialFingerprints": {
            "primaryLocationLineHash": fingerprint,
            "sessionstateContainer/v1": fingerprint,
        },
        "properties": {"confidence": finding.confidence, "container": clean(finding.container)},
    }
    related = [(each, "removed here") for each in finding.removals]
    if finding.defined is not None:
        related.insert(0, (finding.defined, "made here"))
    related += [(each, "written here too") for each in finding.writes if each is not first]
    if related:
        result["relatedLocations"] = [_location(*each) for each in related]
    if finding.exits:
        result["codeFlows"] = [_flow(first, each) for each in finding.exits]
    return result


def _message(finding: Finding) -> str:
    text = f"{finding.container}: {finding.message}"
    return clean(f"{text}; {finding.advice}" if finding.advice else text)


def _flow(write: Place, left: Exit) -> Json:
    places = [
        {"location": _location(write, "written here"), "importance": "essential"},
        {
            "location": _location(Place(write.path, left.line, 0), left.message),
            "importance": "essential",
            "kinds": [left.kind],
        },
    ]
    return {"message": {"text": clean(left.message)}, "threadFlows": [{"locations": places}]}


def _location(place: Place, message: str = "") -> Json:
    region: Json = {"startLine": max(place.line, 1)}
    if place.column > 0:
        region["startColumn"] = place.column
    if place.text:
        region["snippet"] = {"text": clean(place.text)}
    location: Json = {
        "physicalLocation": {"artifactLocation": _artifact(place.path), "region": region}
    }
    if message:
        location["message"] = {"text": clean(message)}
    return location


def _artifact(path: str) -> Json:
    uri = quote(path, errors="replace")
    if not path.startswith("/") and path[1:2] != ":":
        return {"uri": uri, "uriBaseId": "%SRCROOT%"}
    return {"uri": f"file://{'' if path.startswith('/') else '/'}{uri}"}


def _notification(problem: Problem) -> Json:
    return {
        "level": "warning",
        "message": {"text": clean(problem.message)},
        "locations": [_location(Place(problem.path, problem.line, 0))],
    }
