"""
SS005: a child process is not ended on every way out.

A process that is started in a coroutine function is watched along its ways out: taken where it is
started, given back where it is killed, where a wait for it came to its end, or where it is handed
to somebody whose name says so. What is kept in an attribute or a map is judged by whether anybody
ends what is kept there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from sessionstate.audit._events import OP, Event, called
from sessionstate.audit._facts import MODULE
from sessionstate.audit._findings import Confidence, Exit, Finding, Severity
from sessionstate.audit._lowering import RETURN, WITH, Block
from sessionstate.audit._processes import (
    Uses,
    kills_kept,
    reaps_kept,
    uses_of,
)
from sessionstate.audit._project import Func, Project
from sessionstate.audit._servers import is_async, is_script, origin, shown, statements, target_of
from sessionstate.audit._settings import Settings

SPAWNS: Final = ("create_subprocess_exec", "create_subprocess_shell", "open_process", "Popen")
HOMES: Final = ("asyncio", "anyio", "trio", "subprocess", "psutil", "gevent", "eventlet")
QUICK: Final = re.compile(
    r"^~c:'(--?version|-V|--help|which|where|uname|hostname|true|--user-site|is-active)'$"
)
PLAIN: Final = "kill it and wait for it in a finally that begins right after the start"
OURS: Final = "let the session own it: await s.open_process(...)"


class Spawn(NamedTuple):
    """
    Where a process is started, and what its handle is bound to.
    """

    func: Func
    block: Block
    name: str
    line: int
    column: int
    path: str
    """What its handle is bound to; an empty string if it is dropped."""
    quick: bool
    """Whether it ends by itself, at once."""
    others: frozenset[str]
    """What else its handle is known as."""


def findings(project: Project, settings: Settings | None = None) -> Iterator[Finding]:
    """
    Yield each start of a process that is not ended on some way out.
    """
    del settings
    seen: set[int] = set()
    for name in SPAWNS:
        for func in project.callers.get(name, ()):
            if func.fact.qualname != MODULE and id(func) not in seen:
                seen.add(id(func))
                known = dict.fromkeys(spawn.path or spawn.line for spawn in _spawns(func))
                for spawn in _spawns(func):
                    # One finding for a handle, wherever it comes from.
                    if known.pop(spawn.path or spawn.line, True) is None:
                        yield from _judge(project, spawn)


def _spawns(func: Func) -> Iterator[Spawn]:
    block = func.fact.block()
    for tag, _, events in statements(block):
        if tag == WITH:
            continue
        for index, event in enumerate(events):
            if event[0] != OP or called(event) not in SPAWNS:
                continue
            if not origin(func.module, event[1]).startswith(HOMES):
                continue
            target = target_of(events, index)
            if target is None and (tag == RETURN or _goes_on(events, index)):
                continue
            path, others = (
                ("", frozenset[str]()) if target is None else (target[0], _others(target[1]))
            )
            if "daemon" in f"{path} {func.name}".lower():
                continue
            quick = any(map(QUICK.match, event[6]))
            yield Spawn(func, block, called(event), event[3], event[4], path, quick, others)


def _goes_on(events: tuple[Event, ...], index: int) -> bool:
    """
    Tell whether the handle is used in the same statement, or the process is meant to live alone.
    """
    detached = any(
        each.startswith(("start_new_session", "creationflags")) for each in events[index][6]
    )
    return detached or any(event[0] == OP for event in events[index + 1 :])


def _others(bound: Event) -> frozenset[str]:
    given: tuple[str, ...] = bound[6]
    return frozenset(each for each in given if each[:1] == "%")


def _judge(project: Project, spawn: Spawn) -> Iterator[Finding]:
    if not spawn.path:
        if is_async(spawn.func) and not is_script(spawn.func.module):
            said = "the process started here is neither waited for nor ended: its handle is dropped"
            yield _finding(spawn, "SS005", Severity.WARNING, Confidence.LOW, said)
        return
    if not spawn.path.startswith("$"):
        yield from _kept(project, spawn, spawn.path)
        return
    uses = uses_of(
        project, spawn.func, spawn.block, (spawn.path, *spawn.others), (spawn.line, spawn.column)
    )
    if uses.stored:
        yield from _kept(project, spawn, uses.stored)
    elif not uses.handed_on:
        found = _local(spawn, uses)
        if found is not None:
            yield found


def _local(spawn: Spawn, uses: Uses) -> Finding | None:
    """
    Judge a process that only its function knows.
    """
    name = shown(spawn.func, spawn.path)
    script = is_script(spawn.func.module)
    exits = tuple(
        Exit(line, "cancelled", f"leaks if cancelled at line {line}") for line in uses.cancelled
    )
    if not is_async(spawn.func):
        return _blocking(spawn, uses, name, script=script)
    sureness = Confidence.LOW if script else Confidence.MEDIUM
    if exits:
        first = exits[0].line
        if uses.timed and not uses.kills:
            said = f"the time-out at line {uses.timed} ends the wait, and nobody kills {name}"
            high = Confidence.LOW if script else Confidence.HIGH
            return _finding(spawn, "SS005a", Severity.ERROR, high, said, exits=exits)
        if uses.kills and uses.in_handler:
            said = f"{name} is killed in an except only, not if cancelled at line {first}"
            return _finding(spawn, "SS005b", Severity.WARNING, sureness, said, exits=exits)
        if uses.kills or uses.reaps:
            said = f"the process {name} is not ended if the task is cancelled at line {first}"
            sureness = sureness if uses.reaps and not spawn.quick else Confidence.LOW
            return _finding(spawn, "SS005", Severity.WARNING, sureness, said, exits=exits)
    if uses.unreaped:
        said = f"{name} is killed at line {uses.unreaped}, and nobody waits for it after that"
        return _finding(spawn, "SS005c", Severity.WARNING, sureness, said)
    return None


def _blocking(spawn: Spawn, uses: Uses, name: str, *, script: bool) -> Finding | None:
    sureness = Confidence.LOW if script else Confidence.MEDIUM
    if uses.timed and not uses.kills:
        said = f"the time-out at line {uses.timed} ends the wait, and nobody kills {name}"
        return _finding(spawn, "SS005a", Severity.ERROR, sureness, said)
    if uses.timed and uses.unreaped:
        said = f"{name} is killed at line {uses.unreaped}, and nobody waits for it after that"
        return _finding(spawn, "SS005c", Severity.WARNING, sureness, said)
    if uses.kills and uses.in_handler and uses.timed:
        said = f"{name} is killed in an except only: another error leaves it running"
        return _finding(spawn, "SS005b", Severity.INFO, Confidence.LOW, said)
    return None


def _kept(project: Project, spawn: Spawn, path: str) -> Iterator[Finding]:
    """
    Judge a process that is kept in an attribute or a map.
    """
    name = shown(spawn.func, path)
    script = is_script(spawn.func.module)
    serving = is_async(spawn.func) and not script
    kills = kills_kept(project, path)
    if not kills:
        said = f"the process kept in {name} is ended nowhere"
        sureness = Confidence.MEDIUM if serving else Confidence.LOW
        yield _finding(spawn, "SS005", Severity.ERROR, sureness, said, container=name)
    elif not reaps_kept(project, path) and not _class_waits(spawn):
        said = (
            f"the process kept in {name} is killed at line {kills[0].line}, and nobody waits for it"
        )
        zombie = (
            spawn.name == "Popen" and not script and "atexit" not in spawn.func.module.facts.imports
        )
        sureness = Confidence.MEDIUM if serving or zombie else Confidence.LOW
        yield _finding(spawn, "SS005c", Severity.WARNING, sureness, said, container=name)


def _class_waits(spawn: Spawn) -> bool:
    """
    Tell whether the class that keeps a process waits for one, under whatever name.
    """
    fact = spawn.func.fact
    return any(
        each.cls == fact.cls and {"wait", "communicate"}.intersection(each.calls)
        for each in spawn.func.module.facts.functions
        if fact.cls
    )


def _finding(
    spawn: Spawn,
    code: str,
    severity: Severity,
    sureness: Confidence,
    said: str,
    *,
    exits: tuple[Exit, ...] = (),
    container: str = "",
) -> Finding:
    plain = "await its wait() after the kill()" if code == "SS005c" else PLAIN
    return Finding(
        rule="SS005",
        code=code,
        path=spawn.func.module.path,
        line=spawn.line,
        column=spawn.column,
        container=container or shown(spawn.func, spawn.path) or spawn.name,
        severity=severity,
        confidence=sureness,
        message=said,
        exits=exits,
        advice=f"{plain}; or {OURS}",
    )
