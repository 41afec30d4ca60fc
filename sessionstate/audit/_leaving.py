"""
What the ways out of a function tell of a removal that stands in it.
"""

from __future__ import annotations

from typing import Final

from sessionstate.audit._conditions import in_one_except, rolls_back, through_finally
from sessionstate.audit._containers import Op
from sessionstate.audit._contexts import EXCEPT, FINALLY, Frame
from sessionstate.audit._effects import ENDS, Effects
from sessionstate.audit._flow import Effect
from sessionstate.audit._project import Func
from sessionstate.audit._ranks import Judgement, Rank, say

GUARDED: Final = "in a finally, behind another condition"


def flow(effects: Effects, func: Func, op: Op) -> Judgement | None:
    """
    Judge a function that both adds and removes; None if it does not mean to do both in one go.
    """
    walker, ways, effect = effects.ways(func)
    if not (walker.taken and walker.given):
        return None
    ends = [way for way in ways if way.kind in ENDS]
    last = max(ends, key=lambda way: way.line, default=None)
    gives = [s for s in effects.calls.events(func) if effect(s.event) is Effect.GIVE]
    if any(through_finally(seen.frames, str(seen.event[5])) is False for seen in gives):
        return say(Rank.GUARDED, GUARDED, op, func, [way for way in ways if way.held])
    final = any(f.kind == FINALLY for seen in gives for f in seen.frames)
    gone = all(in_one_except(seen.frames) and not rolls_back(seen) for seen in gives)
    if last is not None and last.held and not final and not gone:
        return None
    missed = [way for way in ways if way.held and (gone or way.kind != "end")]
    strong = [way for way in missed if not way.weak]
    if not strong:
        behind = effects.behind_condition(gives, func)
        if behind is not None:
            return say(Rank.GUARDED, f"behind a condition in {behind.name}()", op, behind)
        return say(Rank.SURE, "removed on every way out", op, func)
    if all(in_one_except(seen.frames) for seen in gives):
        if all(way.kind == "cancelled" for way in strong):
            return say(Rank.CANCELLED, "not if it is cancelled", op, func, strong)
        types = {f.text for seen in gives for f in seen.frames if f.kind == EXCEPT}
        why = f"only on {' or '.join(sorted(types))}"
        return say(Rank.ONE_EXCEPT, why, op, func, strong)
    if final and all(way.kind == "return" for way in strong):
        return say(Rank.GUARDED, GUARDED, op, func, strong)
    return say(Rank.STRAIGHT, "only if nothing before it fails", op, func, strong)


def late(
    effects: Effects, op: Op, func: Func, why: str, frames: tuple[Frame, ...] = ()
) -> Judgement:
    """
    Judge a removal that is reached on every way out, but may stand behind what fails.
    """
    remover = op.func
    awaited = [w for w in effects.before(remover, {op.line}, _begin(op.frames)) if not w.weak]
    if awaited:
        return say(Rank.LATE, "after what may fail", op, remover, awaited)
    lines = {
        seen.event[3]
        for seen in effects.calls.events(func)
        if effects.of(seen.event, func) is Effect.GIVE
    }
    if func is not remover and lines:
        awaited = [w for w in effects.before(func, lines, _begin(frames)) if not w.weak]
        if awaited:
            return say(Rank.LATE, "after what may fail", op, func, awaited)
    return say(Rank.SURE, why, op)


def _begin(frames: tuple[Frame, ...]) -> int:
    """
    Return the line from which on it is owed that the end of *frames* is reached.
    """
    return next((frame.line for frame in reversed(frames) if frame.kind == FINALLY), 0)
