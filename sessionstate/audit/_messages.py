"""
Findings, in sentences: what grows, why it does not shrink, on which way out, what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sessionstate.audit._containers import Op
from sessionstate.audit._findings import Exit, Finding, Place, Severity
from sessionstate.audit._flow import Way
from sessionstate.audit._judging import Judge, Outcome
from sessionstate.audit._ranks import Rank
from sessionstate.audit._rules import rule_of

MOST: Final = 6
"""How many places, or ways out, are told."""

BOUND: Final = (
    "keep it in a SessionMap, which drops it with its session,"
    " or give it a bound: ExpiringMap, LRUCache"
)
SWEEP: Final = "sweep with a task, or use an ExpiringMap, whose entries go unasked"
ADVICE: Final = {
    "SS002a": "remove it in a finally too: the event is a hint;"
    " or let `async with session(id)` own it",
    "SS002b": "put the removal into a finally, first thing; or let `async with session(id)` own it",
    "SS002c": "remove it in the finally whatever the condition says",
    "SS002d": "call it: from a task that sweeps, or from a finally; or give the entries a deadline",
    "SS002e": "give the entries a deadline as well: most clients never say goodbye",
    "SS002f": "remove the key when what is in it becomes empty",
    "SS002g": SWEEP,
    "SS006": "discard it in a done-callback; or let the session own it: s.start_soon(...)",
    "SS007": "forget by time: ReplayGuard refuses when it is full, ExpiringMap forgets after ttl",
    "SS009": "use the session's own lock `s.lock`, or count its users and remove it with the last",
    "SS010": SWEEP,
}
"""What to write instead, by code; else BOUND."""

WORDS: Final = {
    "cancelled": "cancelled at line {}",
    "exception": "line {} raises",
    "raise": "it raises at line {}",
    "return": "it returns at line {}",
    "end": "it ends at line {}",
}
"""How a function is left, by the kind of the way out."""
ABSENT: Final = frozenset({Rank.EVENT, Rank.COMMAND, Rank.ON_READ, Rank.DEAD})
"""Where what misses is not a way out, but whoever would call."""


def exits_of(ways: Iterable[Way], told: str = "leaks") -> tuple[Exit, ...]:
    """
    Return the ways out, one for each line and kind, in the order of their lines.
    """
    seen: dict[tuple[int, str], Exit] = {}
    for way in sorted(ways, key=lambda each: (each.line, each.kind)):
        words = WORDS[way.kind].format(way.line)
        seen.setdefault((way.line, way.kind), Exit(way.line, way.kind, f"{told} if {words}"))
    return tuple(seen.values())


def finding_of(judge: Judge, outcome: Outcome) -> Finding:
    """
    Return the finding that *outcome* is.
    """
    kept, judgement = outcome.kept, outcome.judgement
    first = outcome.writes[0]
    exits = exits_of(judgement.ways)[:MOST] if judgement is not None else ()
    if judgement is not None and judgement.rank in ABSENT:
        line = judgement.op.line
        exits = (Exit(line, "event", f"leaks if line {line} never runs: {judgement.why}"),)
    removals = [op for op in kept.removals() if op.line != kept.line]
    return Finding(
        rule=rule_of(outcome.code),
        code=outcome.code,
        path=first.func.module.path,
        line=first.line,
        column=int(first.event[4]),
        container=kept.name,
        severity=outcome.severity,
        confidence=outcome.confidence,
        message=_sentence(outcome),
        exits=exits,
        writes=_places(judge, outcome.writes),
        removals=_places(judge, removals),
        defined=judge.project.place(kept.module, kept.line, kept.column),
        advice=ADVICE.get(outcome.code, BOUND),
    )


def _places(judge: Judge, ops: Iterable[Op]) -> tuple[Place, ...]:
    found: dict[tuple[str, int], Place] = {}
    for op in ops:
        place = judge.project.place(op.func.module, op.line, int(op.event[4]))
        found.setdefault((place.path, place.line), place)
    return tuple(found.values())[:MOST]


def _sentence(outcome: Outcome) -> str:
    name, why = outcome.kept.attribute, outcome.reason
    forgotten = outcome.twin and outcome.judgement is None
    twin = f"; its twin {outcome.twin} is emptied" if forgotten else ""
    match outcome.code:
        case "SS001":
            return f"{name} grows with each key, and {why}{twin}"
        case "SS002f":
            return f"{name} keeps a key for each collection, though what is in it goes{twin}"
        case "SS002d":
            return f"{name} grows, and {why}, which would remove from it{twin}"
        case "SS006":
            return f"{name} keeps each task, also when it has ended{twin}"
        case "SS007" if outcome.severity is Severity.INFO:
            return f"{name} forgets what was seen when it is full, not when it is old"
        case "SS007":
            return f"{name} remembers what was seen without a time limit{twin}"
        case "SS009":
            return f"{name} keeps a lock for each key that was ever seen{twin}"
        case "SS010":
            return (
                f"{name} has entries with a time to live, and nothing removes those past it{twin}"
            )
        case "SS002b" | "SS002a" if outcome.judgement is not None and outcome.judgement.ways:
            func = outcome.judgement.func
            return f"an entry of {name} is removed {why}, in {func.name}(){twin}"
        case _:
            return f"an entry of {name} is removed {why}{twin}"
