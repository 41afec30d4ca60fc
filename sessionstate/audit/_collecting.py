"""
Collections of tasks: whether those that are done go again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from sessionstate.audit._facts import MODULE
from sessionstate.audit._findings import Confidence, Finding, Place, Severity
from sessionstate.audit._flow import flattened
from sessionstate.audit._project import Func, Project, Type
from sessionstate.audit._servers import (
    SETS_UP,
    definition,
    is_script,
    passing,
    per_session,
    shown,
    single,
)
from sessionstate.audit._vocabulary import LONG_OWNER, SHORT_OWNER, SHRINK, SHUTDOWN

SERVICE: Final = re.compile(
    r"^_*(run|serve|watch|poll|loop|worker|main|consume|monitor)(_|$)|_loop$"
)
"""What runs for as long as the program, by its name."""
KEEP: Final = (
    "add task.add_done_callback({0}.discard), or let the session own it: s.start_soon(...)"
)


class Start(NamedTuple):
    """
    Where a task is started.
    """

    func: Func
    line: int
    column: int
    coroutine: str
    """The last name of the coroutine function, if it is called right there."""
    given: tuple[str, ...]
    """What that is called with."""
    looped: bool
    """Whether it is started in a loop over what may be few."""


class Kept(NamedTuple):
    """
    Where a task is put into a collection.
    """

    start: Start
    path: str
    how: str
    key: str


def collected(project: Project, several: list[Kept]) -> Finding | None:
    """
    Judge a collection of tasks that outlives the function which fills it.
    """
    first = several[0]
    func, path = first.start.func, first.path
    if ".*" in path:
        return None
    growing = [
        each for each in several if not (SETS_UP.match(each.start.func.name) or each.start.looped)
    ]
    if not growing:
        return None
    first = growing[0]
    func = first.start.func
    owner = project.type_of(func) if path.startswith("self.") else None
    name = shown(func, path)
    removals = list(_removals(project, func, path))
    entries = [each for each, how in removals if not _at_the_end(each, how)]
    if entries:
        return None
    short = (
        owner is not None
        and bool(SHORT_OWNER.search(owner.name))
        and not LONG_OWNER.search(owner.name)
    )
    if removals and (short or first.how == "[]="):
        return None
    if short and owner is not None and not passing(owner):
        sureness = Confidence.LOW
    elif (
        first.how == "[]="
        or is_script(func.module)
        or (owner is not None and single(project, owner))
    ):
        sureness = Confidence.MEDIUM if first.how == "[]=" else Confidence.HIGH
    else:
        sureness = Confidence.MEDIUM if removals or short else Confidence.HIGH
    if SERVICE.match(first.start.coroutine) and not per_session(project, func):
        sureness = Confidence.LOW
    if _awaited(owner, path):
        short, sureness = True, min(sureness, Confidence.MEDIUM, key=_doubt)
    severity = Severity.WARNING if removals or short else Severity.ERROR
    until = f" until {_names(removals)}" if removals else ": nothing removes them"
    said = f"tasks that are done stay in {name}{until}"
    writes = tuple(
        project.place(each.start.func.module, each.start.line, each.start.column)
        for each in growing
    )
    removed = tuple(project.place(each.module, each.fact.line) for each, _ in removals)
    found = finding(
        first.start,
        name,
        said,
        severity=severity,
        sureness=sureness,
        advice=KEEP.format(path.lstrip("@")),
        writes=writes,
        removals=removed,
    )
    return replace(found, defined=definition(project, func, path))


def _awaited(owner: Type | None, path: str) -> bool:
    """
    Tell whether a method waits for all tasks of a collection: then they go with their owner.
    """
    if owner is None:
        return False
    return any(
        path in event[6]
        for method in owner.methods.values()
        if path.encode() in method.fact.code
        for event in flattened(method.fact.block())
        if event[2] not in {"=", "let"}
    )


def _doubt(sureness: Confidence) -> int:
    return -list(Confidence).index(sureness)


def _names(removals: list[tuple[Func, str]]) -> str:
    """
    Return which functions empty a collection.
    """
    return " or ".join(sorted({f"{each.name}()" for each, _ in removals})[:2])


def _at_the_end(func: Func, how: str) -> bool:
    """
    Tell whether a removal empties the collection because its owner ends or begins.
    """
    if how in {
        "discard",
        "remove",
        "pop",
        "popleft",
        "del[]",
        "=filter",
        "-=",
        "difference_update",
    }:
        return False
    return bool(SHUTDOWN.match(func.name))


def _removals(project: Project, func: Func, path: str) -> Iterator[tuple[Func, str]]:
    """
    Yield which functions take something out of a collection, and how.
    """
    last = path.rpartition(".")[2].lstrip("@")
    tails = (f".{last}", f"@{last}")
    init = {"__init__", "__post_init__", "__new__", "__aenter__", "__enter__", MODULE}
    for other in project.functions:
        for touched, how in other.fact.touches:
            if not touched.endswith(tails) or (
                how not in SHRINK and how not in {"=filter", "=", "[:]="}
            ):
                continue
            if how == "=" and (other.name in init or other.fact.qualname == func.fact.cls):
                continue
            yield other, how


def finding(
    start: Start,
    container: str,
    said: str,
    *,
    severity: Severity,
    sureness: Confidence,
    advice: str,
    writes: tuple[Place, ...] = (),
    removals: tuple[Place, ...] = (),
) -> Finding:
    """
    Return the finding of a task that is started there.
    """
    return Finding(
        rule="SS006",
        code="SS006",
        path=start.func.module.path,
        line=start.line,
        column=start.column,
        container=container,
        severity=severity,
        confidence=sureness,
        message=said,
        writes=writes,
        removals=removals,
        advice=advice,
    )
