"""
SS008: a list is searched and rebuilt on each access.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sessionstate.audit._events import OP, Event
from sessionstate.audit._findings import Confidence, Finding, Severity
from sessionstate.audit._flow import flattened
from sessionstate.audit._project import Func, Project
from sessionstate.audit._servers import definition, is_async, shown, variables
from sessionstate.audit._settings import Settings

READS: Final = re.compile(
    r"^_*(get|fetch|find|look_?up|load|read|peek|access|touch|mark|bump|promote|use|refresh|hit"
    r"|retrieve|has|contains|cached|resolve)(_|$|[A-Z])|_touch|update_lru|_access"
    r"|move_to_(end|front)|mark_(used|recent)|update_(access|order|usage|recen\w*)|record_access"
    r"|^__getitem__$|^__contains__$|^__call__$"
)
ORDER: Final = re.compile(
    r"lru|mru|order|recen|access|usage|used|history|evict|queue|age", re.IGNORECASE
)
CACHE: Final = re.compile(r"lru|cache|pool|memo|store", re.IGNORECASE)
WITHOUT: Final = re.compile(r"\bif\b.*(!=|\bis not\b|\bnot\b)")
ADVICE: Final = (
    "use an OrderedDict with move_to_end() and popitem(last=False), or LRUCache(maxsize=...)"
)


def findings(project: Project, settings: Settings | None = None) -> Iterator[Finding]:
    """
    Yield each list that is used as the order of a cache.
    """
    del settings
    best: dict[tuple[str, str], Finding] = {}
    for each in _each(project):
        kept = best.setdefault((each.path, each.container), each)
        if each.confidence.reaches(kept.confidence) and not kept.confidence.reaches(
            each.confidence
        ):
            best[each.path, each.container] = each
    yield from best.values()


def _each(project: Project) -> Iterator[Finding]:
    for func in project.functions:
        fact = func.fact
        hows = {how for _, how in fact.touches}
        moves = "remove" in hows and ("append" in hows or "insert" in hows)
        if moves or "=filter" in hows:
            yield from _moves(project, func)
        elif is_async(func) and "insert" in hows:
            yield from _shifts(project, func)


def _moves(project: Project, func: Func) -> Iterator[Finding]:
    """
    Yield each list that *func* takes a key out of, and puts it back at an end.
    """
    removed: dict[str, Event] = {}
    rebuilt: dict[str, Event] = {}
    done: set[str] = set()
    for event in flattened(func.fact.block()):
        path, name = event[1], event[2]
        if event[0] != OP or path[:1] not in {"s", "@", "^"}:
            continue
        if path.startswith(variables(func)):
            continue  # It goes with the call.
        if name == "remove" and event[5]:
            removed.setdefault(path, event)
        elif name == "=filter" and event[6][1:2] == ("list",):
            rebuilt.setdefault(path, event)
        elif name in {"append", "insert"} and path not in done:
            key = event[6][-1] if event[6] else ""
            found = removed.get(path)
            if found is not None and _same(found, event, key):
                done.add(path)
                yield from _judge(project, func, found, f"{name}()")
            elif path in rebuilt and _filters(project, func, rebuilt[path]):
                done.add(path)
                yield from _judge(project, func, rebuilt[path], "")


def _same(removed: Event, put: Event, key: str) -> bool:
    """
    Tell whether what was taken out is put in again: at the end, or as the first.
    """
    if put[2] == "insert" and not (put[6] and put[6][0] == "~c:0"):
        return False
    return bool(removed[6]) and removed[6][0] == key


def _filters(project: Project, func: Func, event: Event) -> bool:
    return bool(WITHOUT.search(project.place(func.module, event[3]).text))


def _judge(project: Project, func: Func, event: Event, put: str) -> Iterator[Finding]:
    kind = project.type_of(func)
    name = shown(func, event[1])
    reads = bool(READS.search(func.name))
    last = event[1].rpartition(".")[2].rpartition(">")[2].lstrip("@")
    keeps = bool(ORDER.search(last)) or bool(CACHE.search(kind.name if kind else func.module.name))
    deque = any(how == "popleft" for path, how in func.fact.touches if path == event[1])
    if reads and keeps:
        sureness = Confidence.HIGH
    elif (reads or keeps) and not deque:
        sureness = Confidence.MEDIUM if keeps and ORDER.search(last) else Confidence.LOW
    else:
        return
    how = f"remove() and {put}" if put else "a list built anew"
    said = f"{func.name}() moves a key of {name} by {how}, and goes through all of it each time"
    found = _finding(func, event, name, said, severity=Severity.WARNING, sureness=sureness)
    yield replace(found, defined=definition(project, func, event[1]))


def _shifts(project: Project, func: Func) -> Iterator[Finding]:
    """
    Yield each list that a coroutine function puts something in front of.
    """
    for event in flattened(func.fact.block()):
        path = event[1]
        if event[2] != "insert" or event[6][:1] != ("~c:0",) or path[:1] not in {"s", "@"}:
            continue
        name = shown(func, path)
        said = f"insert(0, ...) moves all of {name}, each time: a deque has appendleft()"
        found = _finding(func, event, name, said, severity=Severity.INFO, sureness=Confidence.LOW)
        if event[6][1:] == (f"{path}.*",):
            said = (
                f"{func.name}() moves an entry of {name} to the front, and with it all the others"
            )
            found = replace(
                found, message=said, severity=Severity.WARNING, confidence=Confidence.MEDIUM
            )
        yield replace(found, defined=definition(project, func, path))


def _finding(
    func: Func, event: Event, name: str, said: str, *, severity: Severity, sureness: Confidence
) -> Finding:
    return Finding(
        rule="SS008",
        code="SS008",
        path=func.module.path,
        line=event[3],
        column=event[4],
        container=name,
        severity=severity,
        confidence=sureness,
        message=said,
        advice=ADVICE,
    )
