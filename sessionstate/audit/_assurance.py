"""
How well a removal can be relied upon.

Each removal is asked for the weakest thing that its running rests on, up through the functions that
call it; of several removals the best counts.
"""

from __future__ import annotations

import re
from typing import Final

from sessionstate.audit._calling import Calls
from sessionstate.audit._conditions import CALLBACKS, SIZE, is_handed_on, rolls_back, text_of
from sessionstate.audit._containers import Kept, Op
from sessionstate.audit._contexts import AROUND, DEFERRED, EXCEPT, FINALLY, TEST
from sessionstate.audit._effects import FAILS
from sessionstate.audit._facts import ASYNC, MODULE, YIELDS
from sessionstate.audit._flow import Way, awaits
from sessionstate.audit._leaving import flow
from sessionstate.audit._project import Func
from sessionstate.audit._ranks import Judgement, Rank, say
from sessionstate.audit._reaching import AT_EXIT, Reach
from sessionstate.audit._vocabulary import RESET, SHUTDOWN, SWEEP

TIME: Final = re.compile(
    r"(?i)(time|expir|ttl|age|deadline|now|stale|idle|last_|window|cutoff|elapsed|old|since"
    r"|monotonic|until|fresh|valid|inactive|dead|closed|done|cancelled|alive|connected)"
)
"""The names in a test of whether something has had its time."""
EXPIRED: Final = re.compile(
    r"(?i)expir|ttl|deadline|timestamp|monotonic|elapsed|stale|\btime\b|\bnow\b|_at\b|max_age"
    r"|too_old|cutoff|\bage\b"
)
"""The names in a test of whether an entry that was looked up is too old."""
STREAM: Final = re.compile(
    r"^(websocket|ws|socket|reader|writer|stream)$|WebSocket$|Stream(Reader|Writer)$"
)
"""Parameters, and their types, of what handles one connection."""
OLDEST: Final = re.compile(r"(?i)oldest|lru|evict|victim|first_key|least")
"""Keys that are chosen because one has to go."""
ROOM: Final = re.compile(r"(?i)evict|_?enforce|_trim|make_room")
"""Functions that take out what is too much."""
QUEUED: Final = frozenset({"popleft", "heappop", "pop_nowait"})
"""What takes out as from a queue."""
EMPTIES: Final = frozenset({"clear", "=", "[:]=", "del"})
"""What takes out everything."""
SWEPT: Final = frozenset({"=filter", "-=", "&=", "difference_update", "intersection_update"})
"""What takes out each entry that is chosen by a look at all of them."""
LOOKS: Final = frozenset({"iter", "items", "values", "keys", "copy"})
"""What goes over each entry."""
READS: Final = frozenset({"get", "[]", "in"})
"""What looks one entry up."""


class Assurance:
    """
    Judges the removals of one container.
    """

    def __init__(self, kept: Kept, calls: Calls) -> None:
        self._kept = kept
        self._calls = calls
        self._reach = Reach(kept, calls)
        self._effects = self._reach.effects

    def best(self) -> Judgement | None:
        """
        Return the judgement of the removal that can be relied upon most.
        """
        known: list[Judgement] = []
        for op in self._kept.removals():
            judged = self._of(op)
            if judged is not None:
                known.append(judged)
                if judged.rank is Rank.SURE:
                    break
        best = min(known, key=lambda each: each.rank, default=None)
        if best is not None and best.rank > Rank.CALLED:
            return next((each for each in known if self._is_dead_sweep(each)), best)
        if best is not None and best.rank is Rank.CALLED and not self._is_sweep(best.op):
            # Entries that are judged by their age when they are read are meant to go unasked.
            # The same goes for those that a sweep would remove, had it a caller.
            return next((each for each in known if self._meant_to_expire(each)), best)
        return best

    def _is_sweep(self, op: Op) -> bool:
        return op.name in EMPTIES or op.name in SWEPT or self._sweeps(op)

    @staticmethod
    def _is_dead_sweep(each: Judgement) -> bool:
        return each.rank is Rank.DEAD and bool(SWEEP.search(each.op.func.name))

    def _meant_to_expire(self, each: Judgement) -> bool:
        return each.rank is Rank.ON_READ or self._is_dead_sweep(each)

    def _of(self, op: Op) -> Judgement | None:
        """
        Judge one removal; None if it says nothing.
        """
        if op.via:
            return self._handed(op)
        if any(frame.kind == DEFERRED for frame in op.frames) and is_handed_on(op, self._calls):
            return say(Rank.SURE, "a callback removes it", op)
        if self._consumes(op):
            return say(Rank.SURE, "it is emptied as it is used", op)
        if self._caps(op):
            return say(Rank.SURE, "its size is limited", op)
        if op.name in EMPTIES:
            return self._whole(op)
        if op.name in SWEPT or self._sweeps(op):
            return self._swept(op)
        return self._entry(op)

    def _handed(self, op: Op) -> Judgement:
        if op.via in CALLBACKS or SWEEP.search(op.via):
            return say(Rank.SURE, f"handed to {op.via}", op)
        if op.via in AT_EXIT:
            return say(Rank.SHUTDOWN, "only when the program ends", op)
        return say(Rank.CALLED, f"handed to {op.via}", op)

    def _consumes(self, op: Op) -> bool:
        """
        Tell whether entries are taken out as from a queue.
        """
        if op.name in QUEUED:
            return True
        if op.name == "pop" and not op.event[6] and self._kept.kind in {"list", "set", "deque"}:
            return True
        at_place = op.key.startswith(("c:", "s:"))  # by its number, not by what it is
        return self._kept.kind in {"list", "deque"} and op.name in {"pop", "del[]"} and at_place

    def _caps(self, op: Op) -> bool:
        """
        Tell whether an entry goes because there are too many.
        """
        key = op.key
        if op.name == "popitem" or "next(iter)" in key:
            return True
        for frame in op.frames:
            test = frame.text if frame.kind in {TEST, AROUND} else ""
            if (
                test
                and SIZE.search(test)
                and (self._kept.attribute in test.split() or "len" in test.split())
            ):
                return True
        room = ROOM.search(op.func.name) and self._calls.sites(op.func)
        return bool(OLDEST.search(key) or room)

    def _sweeps(self, op: Op) -> bool:
        """
        Tell whether it is removed by a look at every entry.
        """
        if not self._iterates(op.func):
            return False
        loop = next((f for f in reversed(op.frames) if f.kind == AROUND), None)
        if loop is None:
            return op.key.startswith("k:")
        parameters = {name for name, _ in op.func.fact.parameters}
        return text_of(op.key) not in parameters or op.name in {"difference_update", "-="}

    def _iterates(self, func: Func) -> bool:
        """
        Tell whether *func* looks at every entry.
        """
        return any(op.func is func and op.name in LOOKS and not op.inner for op in self._kept.ops)

    def _whole(self, op: Op) -> Judgement | None:
        """
        Judge what takes everything out.
        """
        func = op.func
        if func.fact.qualname in {MODULE, func.fact.cls} or func.name in {"__init__", "__new__"}:
            return None
        if _is_timed(op):
            return say(Rank.SURE, "it is emptied from time to time", op)
        if id(func) in self._effects.adders and not SHUTDOWN.match(func.name):
            return say(Rank.SURE, "it is emptied as it is used", op)
        if SHUTDOWN.match(func.name) and not (RESET.match(func.name) and self._calls.sites(func)):
            return say(Rank.SHUTDOWN, f"only {func.name}() empties it", op)
        return self._reach.reached(op, op.frames, func, 0, whole=True)

    def _swept(self, op: Op) -> Judgement | None:
        """
        Judge what takes out each entry that has had its time.
        """
        func = op.func
        if func.fact.qualname == MODULE:
            return None
        if (
            SHUTDOWN.match(func.name)
            and not _is_timed(op)
            and op.name != "=filter"
            and not SWEEP.search(func.name)
        ):
            return say(Rank.SHUTDOWN, f"only {func.name}() empties it", op)
        if id(func) in self._effects.adders:
            return say(Rank.SURE, "each write sweeps it", op)
        return self._reach.reached(op, (), func, 0, whole=True)

    def _entry(self, op: Op) -> Judgement | None:
        """
        Judge the removal of one entry.
        """
        func = op.func
        if func.fact.qualname == MODULE:
            return None
        if id(func) in self._effects.adders:
            judged = flow(self._effects, func, op)
            if judged is not None:
                return judged
            if self._key_differs(op):
                return say(Rank.CALLED, "another entry goes", op)
            if rolls_back(op):
                return None
            added = self._effects.adders[id(func)]
            follows = added.line < op.line and op.frames[: len(added.frames)] == added.frames
            held = [way for way in self._effects.ways(func)[1] if way.held and not way.weak]
            if follows and held:
                return say(Rank.STRAIGHT, "only on some ways out", op, func, held)
        awaited = self._awaits_answer(op)
        if awaited:
            return say(Rank.EVENT, "only when the answer comes", op, *awaited)
        streamed = self._after_stream(op)
        if streamed:
            return say(Rank.STRAIGHT, f"only at the end of {func.name}()", op, func, streamed)
        if self._on_read(op):
            return say(Rank.ON_READ, f"only when {func.name}() meets it expired", op)
        return self._reach.reached(op, op.frames, func, 0)

    def _awaits_answer(self, op: Op) -> tuple[Func, list[Way]] | None:
        """
        Return who puts in a future and awaits it, where somebody else removes it: with the answer.
        """
        for write in self._kept.writes():
            func, given = write.func, write.event[6][:1]
            if func is op.func or not given or given[0][:1] not in "$^":
                continue
            lines = {
                event[1]
                for event in awaits(func.fact.block())
                if event[1] >= write.line and given[0] in event[2:]
            }
            missed = [
                way
                for way in self._effects.ways(func)[1]
                if way.held and not way.weak and way.line in lines and way.kind in FAILS
            ]
            if missed:
                return func, missed
        return None

    def _after_stream(self, op: Op) -> list[Way]:
        """
        Return the ways out of a generator, or of a connection's handler, before it removes.
        """
        func = op.func
        if any(frame.kind in {FINALLY, EXCEPT} for frame in op.frames):
            return []
        handles = any(STREAM.search(name) or STREAM.search(of) for name, of in func.fact.parameters)
        if not func.fact.flags & YIELDS and not (handles and func.fact.flags & ASYNC):
            return []
        return [way for way in self._effects.before(func, {op.line}, 0) if not way.weak]

    def _key_differs(self, op: Op) -> bool:
        added = self._effects.adders[id(op.func)].key
        return bool(added and op.key and text_of(added) != text_of(op.key))

    def _on_read(self, op: Op) -> bool:
        """
        Tell whether an entry goes because it was looked up and found to be too old.
        """
        func = op.func
        test = next(
            (f for f in reversed(op.frames) if f.kind == TEST and EXPIRED.search(f.text)), None
        )
        if test is None:
            return False
        if any(f.kind == AROUND for f in op.frames) or SWEEP.search(func.name):
            return False
        return any(o.func is func and o.name in READS and o.line <= op.line for o in self._kept.ops)


def _is_timed(op: Op) -> bool:
    """
    Tell whether a removal stands in a test of how old, or how many, entries are.
    """
    return any(
        frame.kind == TEST and (SIZE.search(frame.text) or TIME.search(frame.text))
        for frame in op.frames
    )
