"""
Small projects, written to a folder and read as the audit reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

from sessionstate.audit._facts import facts_of
from sessionstate.audit._findings import Confidence, Finding
from sessionstate.audit._project import Module, Project
from sessionstate.audit._settings import Settings

Rule = Callable[[Project, Settings | None], Iterator[Finding]]


def project(folder: Path, **sources: str) -> Project:
    """
    Return the project of *sources*, each with the name of its module.
    """
    modules: list[Module] = []
    for name, source in sources.items():
        path = folder / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = dedent(source)
        path.write_text(text, encoding="utf-8")
        modules.append(Module(path.as_posix(), name, facts_of(text, path.as_posix())))
    return Project(modules)


def found(
    rule: Rule, folder: Path, source: str, settings: Settings | None = None, **others: str
) -> list[str]:
    """
    Return what *rule* finds and the audit shows: each code with its container.
    """
    audited = project(folder, server=source, **others)
    return [
        f"{each.code} {each.container}"
        for each in rule(audited, settings)
        if each.confidence.reaches(Confidence.MEDIUM)
    ]


def doubted(rule: Rule, folder: Path, source: str, **others: str) -> list[str]:
    """
    Return what *rule* finds and the audit hides, in the same words.
    """
    audited = project(folder, server=source, **others)
    return [
        f"{each.code} {each.container}"
        for each in rule(audited, None)
        if not each.confidence.reaches(Confidence.MEDIUM)
    ]
