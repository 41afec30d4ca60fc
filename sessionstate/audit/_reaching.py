"""
How a function that removes comes to run: up through its callers, to whoever begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from sessionstate.audit._calling import Calls, Site
from sessionstate.audit._conditions import (
    CALLBACKS,
    SIZE,
    in_one_except,
    is_handed_on,
    is_harmless,
    rolls_back,
    through_finally,
)
from sessionstate.audit._containers import Kept, Op
from sessionstate.audit._contexts import AROUND, DEFERRED, EXCEPT, FINALLY, TEST, Frame
from sessionstate.audit._effects import Effects
from sessionstate.audit._facts import MODULE, YIELDS
from sessionstate.audit._flow import Effect, Way
from sessionstate.audit._owners import ROUTE
from sessionstate.audit._project import Func
from sessionstate.audit._ranks import Judgement, Rank
from sessionstate.audit._vocabulary import (
    COMMAND,
    EVENT,
    EXIT_METHOD,
    SHUTDOWN,
    SWEEP,
    TRANSPORT_EVENT,
)

DELETES: Final = re.compile(r"^a?(delete|remove|forget|purge|drop|revoke|discard)(_|$)")
WEBSOCKET: Final = re.compile(r"websocket|\.ws\b|middleware|lifespan|on_event|task|cron|interval|scheduled|loop")
ROUTES: Final = re.compile(
    r"^(Command|CallbackQuery|Message|Conversation|PrefixHandler|Callback)\w*Handler$|^(add_)?(route|get|post"
    r"|put|delete|patch|url_rule|command|handler|api_route)$|^(Route|path|re_path|url)$"
)
VERBS: Final = frozenset({"get", "post", "put", "patch", "delete", "on_get", "on_post", "on_delete"})
MESSAGE: Final = re.compile(
    r"^_*(receive(_json|_text|d)?|(on_|handle_|process_|dispatch_)?(message|data|datagram|frame|packet"
    r"|command|request|line|event|update|reply|response|answer|result)s?(_received)?|dispatch|received?)$"
)
DISPATCHED: Final = re.compile(
    r"^_*(handle|do|visit|cmd|command|rpc|on|process|action|op|exec|api|async_step)_"
)

BEGINS: Final = re.compile(
    r"^_*(__init__|__post_init__|__new__|init__|new__|main|amain|async_main|run\w*|serve\w*|start\w*|a?enter_*|lifespan|setup|set_up|on_startup|startup|cli)$"
)

DEEPEST: Final = 5

MANY: Final = 25

RUNS: Final = frozenset(
    {"to_thread", "run_in_executor", "run_sync", "submit", "wait_for", "shield", "gather", "partial", "Thread", "run"}
)

AT_EXIT: Final = frozenset(
    {"register", "on_event", "add_event_handler", "on_shutdown", "on_cleanup"}
)


class Reach:
    """
    Judges how the removals of one container come to run.
    """

    def __init__(self, kept: Kept, calls: Calls) -> None:
        self._kept = kept
        self._calls = calls
        self.effects = Effects(kept, calls)
        self._asked: dict[tuple[int, bool], Judgement | None] = {}

    def say(
        self, rank: Rank, why: str, op: Op, func: Func | None = None, ways: Iterable[Way] = ()
    ) -> Judgement:
        return Judgement(rank, why, op, func or op.func, tuple(ways))

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
                return self.say(Rank.GUARDED, f"in {func.name}, behind a condition", op, func)
            entered = self.effects.entering(func)
            if entered is not None:
                return self.say(
                    Rank.STRAIGHT,
                    f"in {func.name}, which {entered[0].name} may not reach",
                    op,
                    *entered,
                )
        if func.name in EXIT_METHOD or (func.fact.flags & YIELDS and guarded):
            return self._late(op, func, f"{func.name} removes it") if not whole else None
        if guarded is False:
            return self.say(Rank.GUARDED, "in a finally, behind another condition", op, func)
        if guarded and whole and (BEGINS.match(func.name) or func.fact.flags & YIELDS):
            return self.say(Rank.SHUTDOWN, f"only the end of {func.name}() empties it", op, func)
        if guarded and (whole or self._adds_here(func)):
            return self._late(op, func, "a finally removes it", frames)
        if depth >= DEEPEST:
            return self.say(Rank.CALLED, "called from afar", op, func)
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
            return self.say(Rank.CALLED, "called in many places", op, func)
        known = []
        for site in sites:
            judged = self._site(op, site, depth, whole=whole)
            if judged is not None:
                known.append(judged)
                if judged.rank <= Rank.CALLED:
                    break
        if not known or func.fact.decorators:
            root = self._root(op, func, called=bool(sites), whole=whole)
            if root is not None:
                known.append(root)
        return min(known, key=lambda each: each.rank, default=None)

    def _site(self, op: Op, site: Site, depth: int, *, whole: bool) -> Judgement | None:
        func = site.func
        if site.handed:
            if site.handed in RUNS:
                return self.reached(op, site.frames, func, depth + 1, whole=whole)
            if site.handed in CALLBACKS or site.handed in {
                "create_task",
                "ensure_future",
                "start_soon",
            }:
                return self.say(Rank.SURE, f"handed to {site.handed}", op, func)
            if site.handed in AT_EXIT or re.search(r"shutdown|cleanup|stop|atexit", site.handed):
                return self.say(Rank.SHUTDOWN, "only when the program ends", op, func)
            if re.search(
                r"^(on|once|subscribe|listen|add_listener|connect|bind|add_handler|consume|basic_consume|add_reader)", site.handed
            ):
                ours = site.handed in self._calls.project.named
                rank = Rank.CALLED if ours else Rank.EVENT
                return self.say(rank, f"only when {site.handed}() tells", op, func)
            if ROUTES.search(site.handed) and not whole:
                return self.say(Rank.EVENT, f"only when {site.handed}() is asked for it", op, func)
            return self.say(Rank.CALLED, f"handed to {site.handed}", op, func)
        if func.fact.qualname == MODULE:
            return self.say(Rank.CALLED, "called at import", op, func)
        if any(f.kind == DEFERRED for f in site.frames) and is_handed_on(site, self._calls):
            return self.say(Rank.SURE, "a callback removes it", op, func)
        if not whole and id(func) not in self.effects.adders and self.effects.adds(func):
            judged = self.flow(func, op)
            if judged is not None:
                return judged
            if rolls_back(site):
                return None
        if not whole and id(func) in self.effects.adders:
            judged = self.flow(func, op)
            if judged is not None or rolls_back(site):
                return judged
        if whole and any(frame.kind == AROUND and frame.detail for frame in site.frames):
            return self.reached(op, (), func, depth + 1, whole=True)
        if self._is_cap_test(site):
            return self.say(Rank.SURE, "its size is limited", op, func)
        return self.reached(op, site.frames, func, depth + 1, whole=whole)

    def _is_cap_test(self, site: Site) -> bool:
        return any(f.kind == TEST and SIZE.search(f.text) and "len" in f.text for f in site.frames)

    def _root(self, op: Op, func: Func, *, called: bool, whole: bool) -> Judgement | None:
        """
        Judge a function that nobody in the project calls.
        """
        name, decorators = func.name, " ".join(func.fact.decorators)
        if BEGINS.match(name):
            return self.say(Rank.CALLED, "called as the program starts", op, func)
        if whole and SHUTDOWN.match(name):
            return self.say(Rank.SHUTDOWN, f"only {name}() empties it", op, func)
        routed = ROUTE.search(f".{decorators}") if decorators else None
        if re.search(
            r"\.(event|on|listen|listener|subscribe\w*|on_event|receiver)\b", f".{decorators}"
        ):
            told = f"{name} {decorators}"
            if re.search(r"(?i)(^|[ ._])(disconnect|connectionstate|close[d ]|ended)", f"{told} "):
                return self._late(op, func, f"{name}() is owed by the transport")
            return self.say(Rank.EVENT, f"only when {name}() is called", op, func)
        if called and not routed:
            return self.say(Rank.CALLED, "called elsewhere", op, func)
        if (
            re.search(r"(?i)disconnect|deleted|close|leave|left|end\b|gone|remove", decorators)
            and routed
        ):
            rank = (
                Rank.COMMAND
                if re.search(r"\.(delete|post|put|command|tool)\b", decorators)
                else Rank.EVENT
            )
            how = "asks for it" if rank is Rank.COMMAND else "comes"
            return self.say(
                rank, f"only when {decorators.partition(' ')[2] or name} {how}", op, func
            )
        if ".delete" in decorators or (routed and COMMAND.search(name)):
            return self.say(Rank.COMMAND, f"only when somebody asks for {name}()", op, func)
        if TRANSPORT_EVENT.match(name) and not called and not func.fact.cls and not decorators:
            return self.say(Rank.DEAD, f"nobody calls {name}()", op, func)
        if TRANSPORT_EVENT.match(name):
            return self._late(op, func, f"{name}() is owed by the transport")
        if re.match(r"^_*(do_|cmd_|command_|handle_)?(quit|bye|logout|log_out|kick|leave|sign_?out)(_|$)", name):
            return self.say(Rank.COMMAND, f"only when somebody asks for {name}()", op, func)
        if not called and not decorators and SWEEP.search(name) and self._is_unused(func):
            return self.say(Rank.DEAD, f"nobody calls {name}()", op, func)
        asked = not called and not decorators and DELETES.match(name)
        if asked and not self._is_unused(func):
            return self.say(Rank.ASKED, f"only when somebody asks for {name}()", op, func)
        if not called and not whole and DISPATCHED.match(name):
            return self.say(Rank.EVENT, f"only when {name}() is asked for", op, func)
        if EVENT.match(name):
            return self.say(Rank.EVENT, f"only when {name}() is called", op, func)
        if MESSAGE.match(name) and not whole:
            return self.say(Rank.EVENT, "only when a message says so", op, func)
        if routed and not whole and not WEBSOCKET.search(decorators):
            return self.say(Rank.EVENT, f"only when {name}() is asked for it", op, func)
        if routed or decorators:
            return self.say(Rank.CALLED, "called by a framework", op, func)
        own = self._calls.project.type_of(func)
        if name in VERBS and not whole and self._overrides(func):
            return self.say(Rank.EVENT, f"only when {name}() is asked for it", op, func)
        if own is not None and self._overrides(func):
            return self.say(Rank.CALLED, "called by its base class", op, func)
        if self._is_unused(func):
            return self.say(Rank.DEAD, f"nobody calls {name}()", op, func)
        return self.say(Rank.CALLED, f"whoever uses {name}()", op, func)

    def _overrides(self, func: Func) -> bool:
        own = self._calls.project.type_of(func)
        if own is None:
            return False
        if any(e.event[1] == "self" and e.event[2] == func.name for e in self._calls.events(func)):
            return True  # `super().close()`
        if func.name.startswith("__") and func.name.endswith("__"):
            return True
        lineage = list(self._calls.project.lineage(own))
        known = {base.rpartition(".")[2] for each in lineage for base in each.fact.bases}
        ours = {each.name for each in lineage}
        foreign = (
            known - ours - {"object", "ABC", "Protocol", "Generic", "Mapping", "BaseModel", ""}
        )
        return bool(foreign) and not func.name.startswith("_")

    def _is_unused(self, func: Func) -> bool:
        """
        Tell whether a removal has no caller though what adds has one.
        """
        if DISPATCHED.match(func.name):
            return False
        if not any(op.func is func for op in self._kept.ops) and not (
            func.name.startswith("_") or SWEEP.search(func.name)
        ):
            return False  # it is somebody's business to call what calls the removal
        adders = {
            id(op.func): op.func for op in self._kept.writes() if op.func.fact.qualname != MODULE
        }
        used = any(
            self._calls.sites(adder)
            or any(ROUTE.search(f".{d}") for d in adder.fact.decorators)
            or EVENT.match(adder.name)
            for adder in adders.values()
        )
        parent = func.fact.qualname.rpartition(".")[0]
        if (
            parent
            and parent != func.fact.cls
            and any(f.qualname == parent for f in func.module.facts.functions)
        ):
            return False  # it is handed out by the function that it is defined in
        private = func.name.startswith("_") and not func.name.startswith("__")
        return used or private or bool(SWEEP.search(func.name))

    def flow(self, func: Func, op: Op) -> Judgement | None:
        """
        Judge a function that both adds and removes; None if it does not mean to do both in one go.
        """
        walker, ways, effect = self.effects.ways(func)
        if not (walker.taken and walker.given):
            return None
        ends = [way for way in ways if way.kind in {"end", "return"}]
        last = max(ends, key=lambda way: way.line, default=None)
        gives = [s for s in self._calls.events(func) if effect(s.event) is Effect.GIVE]
        for seen in gives:
            if through_finally(seen.frames, str(seen.event[5])) is False:
                why = "in a finally, behind another condition"
                return self.say(Rank.GUARDED, why, op, func, [w for w in ways if w.held])
        final = any(f.kind == FINALLY for seen in gives for f in seen.frames)
        gone = all(in_one_except(seen.frames) and not rolls_back(seen) for seen in gives)
        if last is not None and last.held and not final and not gone:
            return None
        missed = [way for way in ways if way.held and (gone or way.kind != "end")]
        strong = [way for way in missed if not way.weak]
        if not strong:
            behind = self.effects.behind_condition(gives, func)
            if behind is not None:
                return self.say(Rank.GUARDED, f"behind a condition in {behind.name}()", op, behind)
            return self.say(Rank.SURE, "removed on every way out", op, func)
        if all(in_one_except(seen.frames) for seen in gives):
            if all(way.kind == "cancelled" for way in strong):
                return self.say(Rank.CANCELLED, "not if it is cancelled", op, func, strong)
            types = {f.text for seen in gives for f in seen.frames if f.kind == EXCEPT}
            why = f"only on {' or '.join(sorted(types))}"
            return self.say(Rank.ONE_EXCEPT, why, op, func, strong)
        if final and all(way.kind == "return" for way in strong):
            return self.say(
                Rank.GUARDED, "in a finally, behind another condition", op, func, strong
            )
        return self.say(Rank.STRAIGHT, "only if nothing before it fails", op, func, strong)

    def _late(self, op: Op, func: Func, why: str, frames: tuple[Frame, ...] = ()) -> Judgement:
        """
        Judge a removal that is reached on every way out, but may stand behind what fails.
        """
        remover = op.func
        if not any(f.kind == FINALLY for f in op.frames):
            awaited = [w for w in self.effects.before(remover, {op.line}, 0) if not w.weak]
            if awaited:
                return self.say(Rank.LATE, "after what may fail", op, remover, awaited)
        if func is not remover:
            lines = {
                seen.event[3]
                for seen in self._calls.events(func)
                if self.effects.of(seen.event, func) is Effect.GIVE
            }
            begin = next((f.line for f in reversed(frames) if f.kind == FINALLY), 0)
            awaited = (
                [w for w in self.effects.before(func, lines, begin) if not w.weak] if lines else []
            )
            if awaited:
                return self.say(Rank.LATE, "after what may fail", op, func, awaited)
        return self.say(Rank.SURE, why, op)
