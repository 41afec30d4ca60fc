"""
What becomes of the handle of a child process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from sessionstate.audit._endings import DONE, ENDS, KILLS, REAPS, Watch, rewritten
from sessionstate.audit._events import OP, Event, called
from sessionstate.audit._facts import MODULE
from sessionstate.audit._flow import Effect, Ways, flattened
from sessionstate.audit._lowering import TRY, WITH, Block
from sessionstate.audit._project import Func, Project
from sessionstate.audit._servers import all_statements, every, mentions, variables

TIMERS: Final = re.compile(
    r"(^|\.)(timeout|timeout_at|async_timeout|move_on_after|move_on_at|fail_after|fail_at)\(\)"
)


class Uses(NamedTuple):
    """
    What one function does with a process.
    """

    kills: tuple[int, ...]
    """The lines at which it is killed."""
    reaps: tuple[int, ...]
    """The lines at which it is waited for."""
    timed: int
    """The line of a wait for it that has a time limit; 0 if there is none."""
    in_handler: bool
    """Whether it is killed where an exception is handled, and nowhere else."""
    cancelled: tuple[int, ...]
    """Where a cancellation leaves it running."""
    unreaped: int
    """Where it is killed, if nobody waits for it afterwards; else 0."""
    stored: str
    """The path that it is kept under."""
    handed_on: bool
    """Whether somebody else gets it."""


def uses_of(
    project: Project, func: Func, block: Block, paths: Iterable[str], where: tuple[int, int]
) -> Uses:
    """
    Look at what *func* does with the process that is started at *where*.
    """
    known = set(paths)
    for path in [each for each in known if each[0] == "$"]:
        known.add(f"{variables(func)}{path[1:]}")
    watch = Watch(project, known)
    events = list(every(block))
    kills = [event[3] if event[0] == OP else event[1] for event in events if watch.kills(event)]
    reaps = [event[3] for event in events if watch.reaps(event)]
    inner = [
        each
        for each in _inner(func)
        if any(mentions(e, known) or e[1] in known for e in _ops(each))
    ]
    caring = any(watch.kills(event) for each in inner for event in every(each.fact.block()))
    handled, final = _lines_apart(block)
    return Uses(
        tuple(kills),
        tuple(reaps),
        _timed(block, watch),
        bool(kills) and all(line in handled and line not in final for line in kills),
        _cancelled(rewritten(block, watch), watch, where, handled | final),
        _unreaped(block, watch) if kills else 0,
        next((kept for event in events if (kept := watch.stores(event))), ""),
        caring or any(watch.hands_on(event) for event in events),
    )


def _ops(func: Func) -> Iterator[Event]:
    return (event for event in flattened(func.fact.block()) if event[0] == OP)


def _inner(func: Func) -> list[Func]:
    prefix = f"{func.fact.qualname}."
    return [
        Func(func.module, fact)
        for fact in func.module.facts.functions
        if fact.qualname.startswith(prefix) and fact.qualname != MODULE
    ]


def _lines_apart(block: Block) -> tuple[set[int], set[int]]:
    """
    Return the lines of what handles exceptions, and of what runs in any case.
    """
    handled: set[int] = set()
    final: set[int] = set()
    for statement in all_statements(block):
        if statement[0] == TRY:
            for _, line, part in statement[3]:
                handled.add(line)
                handled.update(_lines(part))
            final.update(_lines(statement[5]))
    return handled, final


def _lines(block: Block) -> Iterator[int]:
    for event in every(block):
        yield event[3] if event[0] == OP else event[1]


def _timed(block: Block, watch: Watch) -> int:
    """
    Return the line of a wait for the process that has a time limit.
    """
    for statement in all_statements(block):
        if statement[0] == WITH and any(TIMERS.search(text) for text, _ in statement[2]):
            for event in every(statement[3]):
                if event[0] == OP and event[1] in watch.paths and event[2] in REAPS:
                    return int(event[3])
    return next(
        (int(event[3]) for event in every(block) if event[0] == OP and _limited(event, watch)), 0
    )


def _limited(event: Event, watch: Watch) -> bool:
    given = event[6]
    if event[1] in watch.paths and event[2] in REAPS:
        limits = [each for each in given if each.startswith("timeout=") and "~c:None" not in each]
        return bool(limits) or (event[2] == "wait" and bool(given))
    if called(event) == "wait_for" and given:
        return any(f"{name}.{reap}()" in given[0] for name in watch.names for reap in REAPS)
    return False


def _cancelled(
    block: Block, watch: Watch, where: tuple[int, int], apart: set[int]
) -> tuple[int, ...]:
    """
    Return the lines at which a cancellation leaves the process running.
    """

    def effect(event: Event) -> Effect:
        if event == DONE or watch.kills(event):
            return Effect.GIVE
        started = event[0] == OP and event[3:5] == where
        return Effect.TAKE if started else Effect.NONE

    ways = Ways(effect).of(block)
    return tuple(
        sorted(
            {
                way.line
                for way in ways
                if way.kind == "cancelled" and way.held and way.line not in apart
            }
        )
    )


def _unreaped(block: Block, watch: Watch) -> int:
    """
    Return the line of the first kill, if nobody waits for the process after it.
    """
    events = list(every(block))
    kills = [
        int(event[3])
        for event in events
        if event[0] == OP and event[1] in watch.paths and event[2] in {"kill", "terminate"}
    ]
    first = min(kills, default=0)
    return 0 if any(watch.reaps(event) and event[3] >= first for event in events) else first


def _kept_events(
    project: Project, path: str, names: frozenset[str]
) -> Iterator[tuple[Func, Event]]:
    """
    Yield what anybody does to the process that is kept under *path*, by one of *names*.
    """
    last = path.rpartition(".")[2].lstrip("@").rpartition(">")[2]
    ends = (f".{last}", f".{last}.*", f"@{last}", f"@{last}.*", f">{last}", f">{last}.*")
    needle = last.encode()
    helpers = {name for name in project.callers if ENDS.search(name)}
    for other in project.functions:
        calls = set(other.fact.calls)
        if not (calls & names or calls & helpers):
            continue
        if needle not in other.fact.code:
            continue
        events = [event for event in flattened(other.fact.block()) if event[0] == OP]
        if any(event[1].endswith(ends) or _about(event, ends) for event in events):
            for event in events:
                helps = ENDS.search(called(event)) and event[2] not in KILLS
                if event[2] in names or called(event) in names or (helps and _about(event, ends)):
                    yield other, event


def _about(event: Event, ends: tuple[str, ...]) -> bool:
    """
    Tell whether an event is given what is kept, its number, or one of its methods.
    """
    for each in event[6]:
        given = (each.partition("=")[2] or each).removesuffix(".pid")
        head, _, last = given.rpartition(".")
        if given.endswith(ends) or (last in KILLS and head.endswith(ends)):
            return True
    return False


class Kept(NamedTuple):
    """
    Where somebody ends a process that is kept.
    """

    func: Func
    line: int


def kills_kept(project: Project, path: str) -> list[Kept]:
    """
    Return where the process that is kept under *path* is ended.
    """
    return [
        Kept(each, event[3]) for each, event in _kept_events(project, path, KILLS | {"Process"})
    ]


def reaps_kept(project: Project, path: str) -> bool:
    """
    Tell whether anybody waits for the process that is kept under *path*.
    """
    names = REAPS | {"poll", "wait_for", "aclose"}
    return any(True for _ in _kept_events(project, path, names))
