"""
What is decided of the containers of small sources.
"""

from __future__ import annotations

from pathlib import Path

from sessionstate.audit._assurance import Assurance
from sessionstate.audit._judging import Judge, Outcome
from sessionstate.audit._keys import Keys
from sessionstate.audit._messages import finding_of
from tests.audit.small import project


def outcomes(folder: Path, source: str, keys: Keys | None = None, **others: str) -> dict[str, Outcome]:
    """
    Return what is decided of each container, by the last part of its name.
    """
    judge = Judge(project(folder, server=source, **others), keys or Keys())
    return {each.kept.attribute: each for each in judge.outcomes()}


def decided(folder: Path, source: str, name: str = "sessions", **others: str) -> str:
    """
    Return the code of a container, or else why it is clean.
    """
    outcome = outcomes(folder, source, **others)[name]
    return outcome.code or outcome.reason


def best(folder: Path, source: str, name: str = "sessions", **others: str) -> str:
    """
    Return what the best removal from a container rests on: its rank, and why.
    """
    judge = Judge(project(folder, server=source, **others), Keys())
    several = (*judge.containers.all, *judge.containers.closures())
    kept = next(each for each in several if each.attribute == name)
    judged = Assurance(kept, judge.calls).best()
    return f"{judged.rank.name}: {judged.why}" if judged is not None else "nothing"


def told(folder: Path, source: str, name: str = "sessions", **others: str) -> tuple[str, list[str]]:
    """
    Return what a finding says: its sentence, and each way out.
    """
    judge = Judge(project(folder, server=source, **others), Keys())
    outcome = next(each for each in judge.outcomes() if each.kept.attribute == name)
    finding = finding_of(judge, outcome)
    return finding.message, [each.message for each in finding.exits]
