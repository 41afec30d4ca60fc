"""
All rules, asked about all files together.

This takes the most time and imports the most: do so only if there is something to judge.
"""

from __future__ import annotations

import linecache
from collections.abc import Sequence

from sessionstate.audit import _caches, _listening, _lists, _owning, _spawning
from sessionstate.audit._findings import Container, Finding, Verdict, home
from sessionstate.audit._judging import Judge, Outcome
from sessionstate.audit._keys import Keys
from sessionstate.audit._messages import finding_of
from sessionstate.audit._project import Module, Project
from sessionstate.audit._remembered import Judged
from sessionstate.audit._settings import Settings

LOCAL_RULES = (_caches, _listening, _spawning, _owning, _lists)


def decided(modules: Sequence[Module], settings: Settings) -> Judged:
    """
    Return what is found in *modules*; of *settings* those count that `Judged` depends on.
    """
    for module in modules:
        linecache.checkcache(module.path)  # it may have been mended since the last audit
    project = Project(modules)
    judge = Judge(project, Keys(settings.session_keys, settings.bounded_keys))
    outcomes = judge.outcomes()
    findings = [finding_of(judge, each) for each in outcomes if each.code]
    named = {home(f) for f in findings}
    for rule in LOCAL_RULES:
        findings += [f for f in rule.findings(project, settings) if _is_new(f, named)]
    containers = [_container(each) for each in outcomes if not each.kept.module.is_test]
    containers.sort(key=lambda each: (each.defined.path, each.defined.line, each.name))
    lines = sum(module.facts.lines for module in modules)
    return Judged(tuple(findings), tuple(containers), lines)


def _is_new(finding: Finding, named: set[tuple[str, str]]) -> bool:
    """
    Tell whether a container is not reported yet: one finding is enough.
    """
    key = home(finding)
    if key in named:
        return False
    named.add(key)
    return True


def _container(outcome: Outcome) -> Container:
    kept = outcome.kept
    return Container(
        kept.name,
        kept.kind,
        outcome.place,
        Verdict.CLEAN,
        outcome.reason,
        sum(1 for _ in kept.writes()),
        sum(1 for _ in kept.removals()),
    )
