"""
How a function that removes comes to run: up through its callers, to whoever begins.
"""

from __future__ import annotations

import re
from typing import Final

from sessionstate.audit._calling import Calls, Site
from sessionstate.audit._conditions import (
    CALLBACKS,
    SIZE,
    is_handed_on,
    is_harmless,
    rolls_back,
    through_finally,
)
from sessionstate.audit._containers import Kept, Op
from sessionstate.audit._contexts import AROUND, DEFERRED, TEST, Frame
from sessionstate.audit._effects import Effects
from sessionstate.audit._facts import MODULE, YIELDS
from sessionstate.audit._leaving import GUARDED, flow, late
from sessionstate.audit._project import Func
from sessionstate.audit._ranks import Judgement, Rank, say
from sessionstate.audit._roots import BEGINS, Roots
from sessionstate.audit._vocabulary import EXIT_METHOD

ROUTES: Final = re.compile(
    r"^(Command|CallbackQuery|Message|Conversation|PrefixHandler|Callback)\w*Handler$|^(add_)?(route|get|post"
    r"|put|delete|patch|url_rule|command|handler|api_route)$|^(Route|path|re_path|url)$"
)
"""What a function is handed to that runs it for one request, message or command."""
STOPS: Final = re.compile(r"shutdown|cleanup|stop|atexit")
LISTENS: Final = re.compile(
    r"^(on|once|subscribe|listen|add_listener|connect|bind|add_handler|consume|basic_consume|add_reader)"
)
"""What a function is handed to that tells it of events."""
RUNS: Final = frozenset(
    {
        "to_thread",
        "run_in_executor",
        "run_sync",
        "submit",
        "wait_for",
        "shield",
        "gather",
        "partial",
        "Thread",
        "run",
    }
)
"""What a function is handed to that runs it there and then."""
STARTS: Final = frozenset({"create_task", "ensure_future", "start_soon"})
AT_EXIT: Final = frozenset(
    {"register", "on_event", "add_event_handler", "on_shutdown", "on_cleanup"}
)
"""What a function is handed to that runs it when the program ends."""
DEEPEST: Final = 5
"""How many callers up it is asked how a removal comes to run."""
MANY: Final = 25
"""Callers of a function that is called by whoever likes to."""


class Reach:
    """
    Judges how the removals of one container come to run.
    """

    def __init__(self, kept: Kept, calls: Calls) -> None:
        self._calls = calls
        self.effects = Effects(kept, calls)
        self._roots = Roots(kept, self.effects)
        self._asked: dict[tuple[int, bool], Judgement | None] = {}

    def reached(
        self,
        op: Op,
        frames: tuple[Frame, ...],
        func: Func,
        depth: int,
        *,
        whole: bool = False,
    ) -> Judgement | None:
        """
        Judge how *func*, in which it is removed within *frames*, comes to run.
        """
        guarded = through_finally(frames, op.key)
        if func.name in EXIT_METHOD and not whole:
            if any(f.kind == TEST and not is_harmless(f, op.key) for f in frames):
                return say(Rank.GUARDED, f"in {func.name}, behind a condition", op, func)
            entered = self.effects.entering(func)
            if entered is not None:
                return say(
                    Rank.STRAIGHT,
                    f"in {func.name}, which {entered[0].name} may not reach",
                    op,
                    *entered,
                )
        ends = func.name in EXIT_METHOD or bool(func.fact.flags & YIELDS and guarded)
        if whole and (ends or (guarded and BEGINS.match(func.name))):
            return say(Rank.SHUTDOWN, f"only the end of {func.name}() empties it", op, func)
        if ends:
            return late(self.effects, op, func, f"{func.name} removes it")
        if guarded is False:
            return say(Rank.GUARDED, GUARDED, op, func)
        if guarded and (whole or self._adds_here(func)):
            return late(self.effects, op, func, "a finally removes it", frames)
        if depth >= DEEPEST:
            return say(Rank.CALLED, "called from afar", op, func)
        key = (id(func), whole)
        if key not in self._asked:
            self._asked[key] = None  # while it is being asked
            self._asked[key] = self._called(op, func, depth, whole=whole)
        return self._asked[key]

    def _adds_here(self, func: Func) -> bool:
        return id(func) in self.effects.adders or self.effects.adds(func)

    def _called(self, op: Op, func: Func, depth: int, *, whole: bool) -> Judgement | None:
        """
        Judge the places that call *func*.
        """
        sites = [s for s in self._calls.sites(func) if not s.func.module.is_test]
        if len(sites) > MANY:
            return say(Rank.CALLED, "called in many places", op, func)
        known: list[Judgement] = []
        for site in sites:
            judged = self._site(op, site, depth, whole=whole)
            if judged is not None:
                known.append(judged)
                if judged.rank <= Rank.CALLED:
                    break
        if sites and not known and all(map(rolls_back, sites)):
            return None
        if not known or func.fact.decorators:
            known.append(self._roots.judged(op, func, called=bool(sites), whole=whole))
        return min(known, key=lambda each: each.rank, default=None)

    def _site(self, op: Op, site: Site, depth: int, *, whole: bool) -> Judgement | None:
        func = site.func
        if site.handed:
            if site.handed in RUNS:
                return self.reached(op, site.frames, func, depth + 1, whole=whole)
            if site.handed in CALLBACKS or site.handed in STARTS:
                return say(Rank.SURE, f"handed to {site.handed}", op, func)
            if site.handed in AT_EXIT or STOPS.search(site.handed):
                return say(Rank.SHUTDOWN, "only when the program ends", op, func)
            if LISTENS.search(site.handed):
                ours = site.handed in self._calls.project.named
                rank = Rank.CALLED if ours else Rank.EVENT
                return say(rank, f"only when {site.handed}() tells", op, func)
            if ROUTES.search(site.handed) and not whole:
                return say(Rank.EVENT, f"only when {site.handed}() is asked for it", op, func)
            return say(Rank.CALLED, f"handed to {site.handed}", op, func)
        if func.fact.qualname == MODULE:
            return say(Rank.CALLED, "called at import", op, func)
        if any(f.kind == DEFERRED for f in site.frames) and is_handed_on(site, self._calls):
            return say(Rank.SURE, "a callback removes it", op, func)
        if not whole and id(func) not in self.effects.adders and self.effects.adds(func):
            judged = flow(self.effects, func, op)
            if judged is not None:
                return judged
            if rolls_back(site):
                return None
        if not whole and id(func) in self.effects.adders:
            judged = flow(self.effects, func, op)
            if judged is not None or rolls_back(site):
                return judged
        if whole and any(frame.kind == AROUND and frame.detail for frame in site.frames):
            return self.reached(op, (), func, depth + 1, whole=True)
        if self._is_cap_test(site):
            return say(Rank.SURE, "its size is limited", op, func)
        return self.reached(op, site.frames, func, depth + 1, whole=whole)

    def _is_cap_test(self, site: Site) -> bool:
        return any(f.kind == TEST and SIZE.search(f.text) and "len" in f.text for f in site.frames)
