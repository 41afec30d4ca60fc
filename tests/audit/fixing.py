"""
Findings for a fix, made from the text of the lines that they speak of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from textwrap import dedent

from sessionstate.audit._findings import Confidence, Finding, Place, Report, Severity
from sessionstate.audit._fix_rules import fixed

PATH = "app.py"
REMOVAL = re.compile(r"\.(pop|discard|remove)\(")


def places(code: str, texts: Iterable[str], path: str = PATH) -> tuple[Place, ...]:
    """
    Return the places of the lines that are one of *texts*, comments left aside.
    """
    wanted = set(texts)
    return tuple(
        Place(path, number, len(line) - len(line.lstrip()) + 1, line.strip())
        for number, line in enumerate(code.splitlines(), 1)
        if line.partition("#")[0].strip() in wanted
    )


def finding(
    rule: str,
    container: str,
    code: str,
    *,
    writes: Iterable[str] = (),
    removals: Iterable[str] = (),
    path: str = PATH,
) -> Finding:
    """
    Return what an audit would say of *code*.
    """
    put, taken = places(code, writes, path), places(code, removals, path)
    first = (*put, *taken, Place(path, 1, 1))[0]
    return Finding(
        rule=rule[:5],
        code=rule,
        path=path,
        line=first.line,
        column=first.column,
        container=container,
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,
        message="it may stay",
        writes=put,
        removals=taken,
    )


def report(*findings: Finding) -> Report:
    """
    Return *findings* as what an audit found.
    """
    return Report(findings=findings, files=1)


def after_fix(
    rule: str,
    container: str,
    code: str,
    *,
    writes: Iterable[str] = (),
    removals: Iterable[str] = (),
) -> str:
    """
    Return what a fix makes of *code*, which compiles, and which a second one leaves as it is.
    """
    code = dedent(code)

    def once(text: str, *more: str) -> tuple[str, int]:
        found = finding(rule, container, text, writes=writes, removals=(*removals, *more))
        result, done = fixed(text, [found])
        return result, len(done)

    assert places(code, (*writes, *removals)), "the test names lines that are there"
    result, count = once(code)
    assert (count == 1) == (result != code)
    compile(result, PATH, "exec")
    # A removal may have got another form, and an audit would find that one.
    lines = [line.partition("#")[0].strip() for line in result.splitlines()]
    formed = [line for line in lines if line not in code and REMOVAL.search(line)]
    assert once(result, *formed) == (result, 0)
    return result
