"""
What is decided of the containers of small sources.
"""

from __future__ import annotations

from pathlib import Path

from sessionstate.audit._assurance import Assurance
from sessionstate.audit._judging import Judge, Outcome
from sessionstate.audit._keys import Keys
from sessionstate.audit._messages import finding_of
from sessionstate.audit._owners import Lifetime
from tests.audit.small import project


def judge_of(folder: Path, source: str, **others: str) -> Judge:
    """
    Return a judge of *source* and *others*, of which those in `tests` are tests.
    """
    audited = project(folder, server=source, **others)
    for module in audited.modules:
        module.is_test = module.name.startswith("tests")
    return Judge(audited, Keys())


def outcomes(folder: Path, source: str, **others: str) -> dict[str, Outcome]:
    """
    Return what is decided of each container, by the last part of its name.
    """
    judge = judge_of(folder, source, **others)
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
    judge = judge_of(folder, source, **others)
    several = (*judge.containers.all, *judge.containers.closures())
    kept = next(each for each in several if each.attribute == name)
    judged = Assurance(kept, judge.calls).best()
    return f"{judged.rank.name}: {judged.why}" if judged is not None else "nothing"


def lifetime(folder: Path, source: str, name: str = "sessions", **others: str) -> Lifetime:
    """
    Return how long the owner of a container lives.
    """
    judge = judge_of(folder, source, **others)
    several = (*judge.containers.all, *judge.containers.closures())
    kept = next(each for each in several if each.attribute == name)
    return judge.owners.lifetime(kept)


def told(folder: Path, source: str, name: str = "sessions", **others: str) -> tuple[str, list[str]]:
    """
    Return what a finding says: its sentence, and each way out.
    """
    judge = judge_of(folder, source, **others)
    outcome = next(each for each in judge.outcomes() if each.kept.attribute == name)
    finding = finding_of(judge, outcome)
    return finding.message, [each.message for each in finding.exits]
