"""
SS006: a task is dropped, or stays in its collection.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from sessionstate.audit._collecting import Kept, Start, collected, finding
from sessionstate.audit._events import OP, Event, called
from sessionstate.audit._facts import MODULE
from sessionstate.audit._findings import Confidence, Finding, Severity
from sessionstate.audit._flow import flattened
from sessionstate.audit._lowering import BREAK, DO, LOOP, RETURN, Block
from sessionstate.audit._project import Func, Project
from sessionstate.audit._servers import (
    IDENTITY,
    KIND,
    OBJECT,
    PASSING,
    all_statements,
    every,
    is_async,
    is_script,
    ops,
    origin,
    passing,
    per_session,
    session_parameters,
    shown,
    statements,
    target_of,
)
from sessionstate.audit._settings import Settings

STARTS: Final = frozenset({"create_task", "ensure_future"})
LOOPS: Final = frozenset({"get_event_loop", "get_running_loop", "new_event_loop", "current_loop"})
PUTS: Final = frozenset({"add", "append", "[]=", "appendleft", "setdefault", "insert"})
ONCE: Final = re.compile(
    r"range|workers?|num_|n_|count|concurrency|shards?|partitions?|channels|topics"
)
STREAM: Final = re.compile(
    r"stream|subscri|listen|iter_|messages|recei|watch|events|queue|ws|socket|poll"
)
LASTING: Final = re.compile(
    r"(chat|user|room|channel|conversation|session|guild|device|client|peer|topic)"
)
ADVICE: Final = "let the session own it: s.start_soon(...), or keep it and cancel it in a finally"


def findings(project: Project, settings: Settings | None = None) -> Iterator[Finding]:
    """
    Yield each task that nobody owns, and each collection in which tasks stay.
    """
    kept: defaultdict[tuple[int, str], list[Kept]] = defaultdict(list)
    seen: set[int] = set()
    for name in STARTS:
        for func in project.callers.get(name, ()):
            if func.fact.qualname == MODULE or id(func) in seen:
                continue
            seen.add(id(func))
            dropped, stored, alone = _starts(func)
            yield from filter(None, (_uncancelled(project, each) for each in alone))
            for start in dropped:
                found = _dropped(project, start, settings)
                if found is not None:
                    yield found
            for each in stored:
                owner = project.type_of(func) if each.path.startswith("self.") else None
                kept[id(owner) if owner else id(func.module), each.path].append(each)
    for several in kept.values():
        found = collected(project, several) or _replaced(project, several[0])
        if found is not None:
            yield found


def _starts(func: Func) -> tuple[list[Start], list[Kept], list[Kept]]:
    """
    Return the tasks that *func* drops, those it keeps in a collection, and those it keeps alone.
    """
    block = func.fact.block()
    dropped: list[Start] = []
    kept: list[Kept] = []
    alone: list[Kept] = []
    locals_: dict[str, Start] = {}
    in_loops = _in_short_loops(block)
    for tag, _, events in statements(block):
        for index, event in enumerate(events):
            if event[0] != OP:
                continue
            if event[2] in PUTS and event[1][:1] in {"s", "@"}:
                put = [locals_[each] for each in event[6] if each in locals_]
                kept += [Kept(each, event[1], event[2], event[5]) for each in put]
            if not _starting(func, events, index):
                continue
            start = _start(func, events, index, looped=event[3] in in_loops)
            target = target_of(events, index)
            if target is None:
                dropped += [start] if tag == DO and index == len(events) - 1 else []
            elif target[1][2] == "let":
                locals_[target[0]] = start
            elif target[1][2] == "=" and target[0].startswith("self."):
                alone.append(Kept(start, target[0], "=", ""))
            elif target[1][2] in PUTS and target[0][:1] in {"s", "@"}:
                kept.append(Kept(start, target[0], target[1][2], target[1][5]))
    return dropped, kept, alone


def _start(func: Func, events: tuple[Event, ...], index: int, *, looped: bool) -> Start:
    event = events[index]
    work = _coroutine(event)
    calls = [each for each in ops(events[:index]) if called(each) == work]
    given = (calls[0][1], *calls[0][6]) if calls else ()
    return Start(func, event[3], event[4], work, given, looped)


def _in_short_loops(block: Block) -> set[int]:
    """
    Return the lines in loops over a number of things, such as workers.
    """
    return {
        line
        for each in all_statements(block)
        if each[0] == LOOP
        and not each[3]
        and (ONCE.search(str(each[4])) or any(map(_few, each[2])))
        for line in _lines(each[5])
    }


def _few(event: Event) -> bool:
    return event[0] == OP and called(event) == "range"


def _lines(block: Block) -> Iterator[int]:
    for event in flattened(block):
        yield int(event[3])


def _starting(func: Func, events: tuple[Event, ...], index: int) -> bool:
    """
    Tell whether the event at *index* starts a task of an event loop, not of a group.
    """
    event = events[index]
    if called(event) not in STARTS:
        return False
    path = event[1]
    if event[2] == "()":
        return origin(func.module, path).startswith("asyncio")
    if path.startswith("@") and origin(func.module, path).partition(".")[0] == "asyncio":
        return True
    if path.rpartition(".")[2].lstrip("@$^_").endswith("loop"):
        return True
    return path == "?" and any(each[0] == OP and called(each) in LOOPS for each in events[:index])


def _coroutine(event: Event) -> str:
    given = event[6][0] if event[6] else ""
    return (
        given.removesuffix("()").rpartition(".")[2].rpartition(":")[2]
        if given.endswith("()")
        else ""
    )


def _dropped(project: Project, start: Start, settings: Settings | None) -> Finding | None:
    """
    Judge a task whose handle nobody has.
    """
    func = start.func
    if not start.coroutine or is_script(func.module):
        return None
    work = _resolved(project, func, start.coroutine)
    serving = is_async(func) or project.type_of(func) is not None
    if not serving:
        return None
    here = per_session(project, func, settings)
    held = work is not None and bool(session_parameters(work, settings))
    bound = here or held or any(map(_session, start.given))
    endless = _endless(work, anything=bound) if work is not None else None
    sure = endless is not None and (bound or (endless and bool(func.fact.cls)))
    sure = sure or (bound and work is not None and _delays(work))
    said = f"the task of {start.coroutine}() is dropped: it may be collected while it waits"
    said += ", and nothing ends it with the session" if bound else ", and nobody can cancel it"
    sureness = Confidence.MEDIUM if sure else Confidence.LOW
    return finding(
        start, start.coroutine, said, severity=Severity.WARNING, sureness=sureness, advice=ADVICE
    )


def _resolved(project: Project, func: Func, name: str) -> Func | None:
    """
    Return the coroutine function that is meant by its last name, if that is in the same module.
    """
    kind = project.type_of(func)
    if kind is not None:
        for each in project.lineage(kind):
            if name in each.methods:
                return each.methods[name]
    here = [each for each in project.named.get(name, ()) if each.module is func.module]
    return here[0] if len(here) == 1 else None


def _session(path: str) -> bool:
    name = path.lstrip("$%")
    if path.startswith("$"):
        return bool(IDENTITY.match(name) or OBJECT.match(name)) or name == "session"
    return path.startswith("%") and bool(PASSING.search(name) or KIND.match(name))


def _endless(work: Func, *, anything: bool) -> bool | None:
    """
    Tell whether a loop that awaits has no way out; None if there is no such loop.
    """
    for each in all_statements(work.fact.block()):
        if each[0] != LOOP:
            continue
        names = " ".join(called(event) for event in ops(each[2]))
        streams = anything or STREAM.search(f"{each[4]} {names}")
        if (streams and any(event[0] == "w" for event in each[2])) or (
            each[3] and "w" in {event[0] for event in every(each[5])}
        ):
            return not any(inner[0] in {BREAK, RETURN} for inner in all_statements(each[5]))
    return None


def _uncancelled(project: Project, kept: Kept) -> Finding | None:
    """
    Judge a task that a session keeps in an attribute, and never touches again.
    """
    func = kept.start.func
    kind = project.type_of(func)
    if kind is None or not passing(kind) or not kept.start.coroutine:
        return None
    for one in project.lineage(kind):
        for method in one.methods.values():
            for event in flattened(method.fact.block()):
                given = (each for each in event[6] if event[2] != "=")
                if (event[1] == kept.path and event[2] != "=") or kept.path in given:
                    return None
    name = shown(func, kept.path)
    said = f"the task kept in {name} is not cancelled when the session ends"
    return finding(
        kept.start,
        name,
        said,
        severity=Severity.WARNING,
        sureness=Confidence.LOW,
        advice=ADVICE,
    )


def _replaced(project: Project, kept: Kept) -> Finding | None:
    """
    Judge an endless task whose place in a map another one may take.
    """
    start, path = kept.start, kept.path
    func = start.func
    key = kept.key.rpartition(":")[2].partition("|")[0]
    work = _resolved(project, func, start.coroutine)
    if kept.how != "[]=" or work is None or not LASTING.search(key):
        return None
    if not _endless(work, anything=True) or is_script(func.module):
        return None
    asked = [func, *project.callers.get(func.name, ())]
    for each in asked:
        for event in flattened(each.fact.block()):
            if event[1].startswith(path) and event[2] != "[]=":
                return None
    name = shown(func, path)
    said = f"a task that is still running is lost when another one takes its place in {name}"
    return finding(
        start,
        name,
        said,
        severity=Severity.WARNING,
        sureness=Confidence.MEDIUM,
        advice="cancel the one that is there first; or let the session own it: s.start_soon(...)",
    )


def _delays(work: Func) -> bool:
    """
    Tell whether a coroutine function does something after a while.
    """
    first = next(statements(work.fact.block()), None)
    return first is not None and any(called(event) == "sleep" for event in ops(first.events))
