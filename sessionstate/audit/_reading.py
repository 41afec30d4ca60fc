"""
Files, found and reduced to facts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from sessionstate.audit._facts import facts_of
from sessionstate.audit._findings import Problem
from sessionstate.audit._project import Module
from sessionstate.audit._settings import Settings
from sessionstate.audit._vocabulary import TEST_PATH


class Read(NamedTuple):
    """
    What was read.
    """

    modules: list[Module]
    problems: list[Problem]
    files: int
    lines: int


def read(
    paths: Sequence[str | Path],
    settings: Settings,
    progress: Callable[[int, int], None] | None = None,
) -> Read:
    """
    Read the files at and below *paths*.
    """
    del progress
    modules: list[Module] = []
    problems: list[Problem] = []
    lines = 0
    for path in map(Path, paths):
        found = [path] if path.is_file() else sorted(path.rglob("*.py"))
        for file in found:
            relative = file.relative_to(path) if file != path else Path(file.name)
            try:
                facts = facts_of(file.read_bytes(), str(file))
            except (SyntaxError, ValueError, RecursionError, OSError) as error:
                problems.append(Problem(str(file), str(error)))
                continue
            lines += facts.lines
            name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
            test = file != path and bool(TEST_PATH.search(relative.as_posix())) and not settings.include_tests
            modules.append(Module(file.as_posix(), name, facts, is_test=test))
    return Read(modules, problems, len(modules) + len(problems), lines)
