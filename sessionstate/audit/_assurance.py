"""
How well a removal can be relied upon.

Each removal is asked for the weakest thing that its running rests on, up through the functions that
call it; of several removals the best counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from sessionstate.audit._calling import Calls, Site
from sessionstate.audit._containers import Kept, Op
from sessionstate.audit._contexts import (
    AROUND,
    BODY,
    DEFERRED,
    EXCEPT,
    FINALLY,
    TEST,
    WITHIN,
    Frame,
    Seen,
)
from sessionstate.audit._events import OP, Event
from sessionstate.audit._facts import MODULE, RAISES, YIELDS
from sessionstate.audit._flow import EVERYTHING, Effect, Way, Ways
from sessionstate.audit._owners import ROUTE
from sessionstate.audit._project import GENERIC, Func
from sessionstate.audit._vocabulary import (
    COMMAND,
    EVENT,
    EXIT_METHOD,
    GROW,
    RESET,
    SHUTDOWN,
    SWEEP,
    TRANSPORT_EVENT,
)

BEGINS: Final = re.compile(
    r"^_*(main|amain|async_main|run\w*|serve\w*|start\w*|a?enter_*|lifespan|setup|set_up|on_startup|startup|cli)$"
)
DISPATCHED: Final = re.compile(r"^_*(handle|do|visit|cmd|command|rpc|on|process|action|op|exec|api|async_step)_")
DEEPEST: Final = 5
MANY: Final = 25
CALLBACKS: Final = frozenset(
    {
        *("add_done_callback", "finalize", "callback", "push_async_callback", "push", "call_later"),
        *("call_at", "addCleanup", "call_soon", "call_soon_threadsafe", "async_on_unload", "link"),
        *("add_cleanup", "defer", "on_teardown", "add_finalizer", "addfinalizer", "async_call_later"),
        *("Timer", "enter", "schedule", "add_task", "call_every", "add_job", "BackgroundTask"),
    }
)
RUNS: Final = frozenset({"to_thread", "run_in_executor", "run_sync", "submit", "wait_for", "shield", "gather"})
AT_EXIT: Final = frozenset({"register", "on_event", "add_event_handler", "on_shutdown", "on_cleanup"})
SIZE: Final = re.compile(r"(?i)(^|\s|_)(len|max\w*|size|limit|capacity|cap|count|full|maxlen|qsize)\b|max_|MAX|_limit|limit_")
TIME: Final = re.compile(
    r"(?i)(time|expir|ttl|age|deadline|now|stale|idle|last_|window|cutoff|timeout|elapsed|old|since"
    r"|monotonic|timestamp|until|fresh|valid|inactive|dead|closed|done|cancelled|alive|connected)"
)
EXPIRED: Final = re.compile(
    r"(?i)expir|ttl|deadline|timestamp|monotonic|elapsed|stale|\btime\b|\bnow\b|_at\b|max_age|too_old|cutoff|\bage\b"
)


class Rank(IntEnum):
    """
    What a removal rests on, the best first.
    """

    SURE = 0
    """It runs on every way out, or as time passes, or as the container fills."""
    CALLED = 1
    """Somebody outside of what was read may call it at the right time."""
    CANCELLED = 2
    """On every way out but that of a cancellation."""
    LATE = 3
    """It runs on every way out, but after something that may fail."""
    STRAIGHT = 4
    """Only if nothing before it fails or is cancelled."""
    GUARDED = 5
    """In a finally, behind another condition."""
    ONE_EXCEPT = 6
    """Only in the except for one kind of end."""
    EVENT = 7
    """Only when an event comes."""
    COMMAND = 8
    """Only if a user asks for it."""
    ON_READ = 9
    """Only when it is read again."""
    DEAD = 10
    """Never: nobody calls it."""
    SHUTDOWN = 11
    """Only when the whole owner ends."""


SUBCODE: Final = {
    Rank.CANCELLED: "SS002b",
    Rank.LATE: "SS002b",
    Rank.STRAIGHT: "SS002b",
    Rank.GUARDED: "SS002c",
    Rank.ONE_EXCEPT: "SS002a",
    Rank.EVENT: "SS002a",
    Rank.COMMAND: "SS002e",
    Rank.ON_READ: "SS002g",
    Rank.DEAD: "SS002d",
    Rank.SHUTDOWN: "SS001",
}


class Judgement(NamedTuple):
    """
    What one removal rests on.
    """

    rank: Rank
    why: str
    """One clause."""
    op: Op
    func: Func
    """Where the way out is missed."""
    ways: tuple[Way, ...] = ()


class Assurance:
    """
    Judges the removals of one container.
    """

    def __init__(self, kept: Kept, calls: Calls) -> None:
        self._kept = kept
        self._calls = calls
        self._adders = self._adding()
        self._removers = {id(op.func): op for op in kept.removals() if self._by_key(op)}
        self._asked: dict[tuple[int, bool], Judgement | None] = {}

    def _entering(self, func: Func) -> tuple[Func, list[Way]] | None:
        """
        Return the `__enter__` that puts the entry in and may fail after that, with its ways out.
        """
        own = self._calls.project.type_of(func)
        for name in ("__aenter__", "__enter__"):
            enter = own.methods.get(name) if own is not None else None
            if enter is not None and id(enter) in self._adders:
                ways = self._ways(enter)[1]
                missed = [w for w in ways if w.held and not w.weak and w.kind not in {"end", "return"}]
                if missed:
                    return enter, missed
        return None

    def _adding(self) -> dict[int, Op]:
        return {id(op.func): op for op in self._kept.writes() if op.func.fact.qualname != MODULE}

    @staticmethod
    def _by_key(op: Op) -> bool:
        return op.name not in {"clear", "=", "=filter", "[:]="} and not op.via

    def best(self) -> Judgement | None:
        """
        Return the judgement of the removal that can be relied upon most.
        """
        known = []
        for op in self._kept.removals():
            judged = self._of(op)
            if judged is not None:
                known.append(judged)
                if judged.rank is Rank.SURE:
                    break
        return min(known, key=lambda each: each.rank, default=None)

    def _say(
        self, rank: Rank, why: str, op: Op, func: Func | None = None, ways: Iterable[Way] = ()
    ) -> Judgement:
        return Judgement(rank, why, op, func or op.func, tuple(ways))

    def _of(self, op: Op) -> Judgement | None:
        func, name = op.func, op.name
        if op.via:
            return self._handed(op)
        if any(frame.kind == DEFERRED for frame in op.frames) and _handed_on(op, self._calls):
            return self._say(Rank.SURE, "a callback removes it", op)
        if self._consumes(op):
            return self._say(Rank.SURE, "it is emptied as it is used", op)
        if self._caps(op):
            return self._say(Rank.SURE, "its size is limited", op)
        if name in {"clear", "=", "[:]=", "del"}:
            return self._whole(op)
        if name == "=filter" or self._sweeps(op):
            return self._swept(op)
        return self._entry(op)

    def _handed(self, op: Op) -> Judgement:
        if op.via in CALLBACKS or SWEEP.search(op.via):
            return self._say(Rank.SURE, f"handed to {op.via}", op)
        if op.via in AT_EXIT:
            return self._say(Rank.SHUTDOWN, "only when the program ends", op)
        return self._say(Rank.CALLED, f"handed to {op.via}", op)

    def _consumes(self, op: Op) -> bool:
        """
        Tell whether entries are taken out as from a queue.
        """
        key = str(op.event[5])
        if op.name in {"popleft", "heappop", "pop_nowait"}:
            return True
        if op.name == "pop" and not op.event[6] and self._kept.kind in {"list", "set", "deque"}:
            return True
        if self._kept.kind in {"list", "deque"} and op.name == "pop" and key.startswith("c:"):
            return True
        return self._kept.kind in {"list", "deque"} and op.name == "del[]" and key.startswith(("c:", "s:"))

    def _caps(self, op: Op) -> bool:
        """
        Tell whether an entry goes because there are too many.
        """
        key = op.key
        if op.name == "popitem" or "next()" in key or "next(" in key:
            return True
        for frame in op.frames:
            test = frame.text if frame.kind in {TEST, AROUND} else ""
            if test and SIZE.search(test) and (self._kept.attribute in test.split() or "len" in test.split()):
                return True
        oldest = re.search(r"(?i)oldest|lru|evict|victim|first_key|least", key)
        return bool(oldest) or bool(re.search(r"(?i)evict|_?enforce|_trim|make_room", op.func.name))

    def _sweeps(self, op: Op) -> bool:
        """
        Tell whether it is removed by a look at every entry.
        """
        own = {seen.event[3] for seen in self._iterations(op.func)}
        if not own or op.name in GROW:
            return False
        loop = next((f for f in reversed(op.frames) if f.kind == AROUND), None)
        if loop is None:
            return op.key.startswith("k:")
        parameters = {name for name, _ in op.func.fact.parameters}
        text = op.key.partition(":")[2].partition("<")[0].partition("|")[0]
        return text not in parameters or op.name in {"difference_update", "-="}

    def _iterations(self, func: Func) -> list[Op]:
        return [
            op  # type: ignore[misc]
            for op in self._kept.ops
            if op.func is func and op.name in {"iter", "items", "values", "keys", "copy"} and not op.inner
        ]

    def _whole(self, op: Op) -> Judgement | None:
        func = op.func
        if func.fact.qualname in {MODULE, func.fact.cls}:
            return None
        if any(f.kind == TEST and (SIZE.search(f.text) or TIME.search(f.text)) for f in op.frames):
            return self._say(Rank.SURE, "it is emptied from time to time", op)
        if id(func) in self._adders and not SHUTDOWN.match(func.name):
            return self._say(Rank.SURE, "it is emptied as it is used", op)
        if SHUTDOWN.match(func.name) and not (RESET.match(func.name) and self._calls.sites(func)):
            return self._say(Rank.SHUTDOWN, f"only {func.name}() empties it", op)
        return self._reached(op, op.frames, func, 0, whole=True)

    def _swept(self, op: Op) -> Judgement | None:
        func = op.func
        if func.fact.qualname == MODULE:
            return None
        timed = any(f.kind == TEST and (TIME.search(f.text) or SIZE.search(f.text)) for f in op.frames)
        if SHUTDOWN.match(func.name) and not timed and op.name != "=filter" and not SWEEP.search(func.name):
            return self._say(Rank.SHUTDOWN, f"only {func.name}() empties it", op)
        if id(func) in self._adders:
            return self._say(Rank.SURE, "each write sweeps it", op)
        return self._reached(op, (), func, 0, whole=True)

    def _entry(self, op: Op) -> Judgement | None:
        """
        Judge the removal of one entry.
        """
        func = op.func
        if func.fact.qualname == MODULE:
            return None
        if id(func) in self._adders:
            judged = self._flow(func, op)
            if judged is not None:
                return judged
            if self._key_differs(op):
                return self._say(Rank.CALLED, "another entry goes", op)
            if _rolls_back(op):
                return None
        if self._on_read(op):
            return self._say(Rank.ON_READ, f"only when {func.name}() meets it expired", op)
        return self._reached(op, op.frames, func, 0)

    def _key_differs(self, op: Op) -> bool:
        added = self._adders[id(op.func)].key
        return bool(added and op.key and _text(added) != _text(op.key))

    def _on_read(self, op: Op) -> bool:
        """
        Tell whether an entry goes because it was looked up and found to be too old.
        """
        func = op.func
        test = next((f for f in reversed(op.frames) if f.kind == TEST and EXPIRED.search(f.text)), None)
        if test is None:
            return False
        if any(f.kind == AROUND for f in op.frames) or SWEEP.search(func.name):
            return False
        return any(
            o.func is func and o.name in {"get", "[]", "in"} and o.line <= op.line for o in self._kept.ops
        )

    def _reached(
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
        guarded = _finally(frames, op.key)
        if func.name in EXIT_METHOD and not whole:
            if any(f.kind == TEST and not _harmless(f, op.key) for f in frames):
                return self._say(Rank.GUARDED, f"in {func.name}, behind a condition", op, func)
            entered = self._entering(func)
            if entered is not None:
                return self._say(Rank.STRAIGHT, f"in {func.name}, which {entered[0].name} may not reach", op, *entered)
        if func.name in EXIT_METHOD or (func.fact.flags & YIELDS and _managed(func) and guarded):
            return self._late(op, func, f"{func.name} removes it") if not whole else None
        if guarded is False:
            return self._say(Rank.GUARDED, "in a finally, behind another condition", op, func)
        if guarded:
            return self._late(op, func, "a finally removes it")
        if depth >= DEEPEST:
            return self._say(Rank.CALLED, "called from afar", op, func)
        key = (id(func), whole)
        if key not in self._asked:
            self._asked[key] = None  # while it is being asked
            self._asked[key] = self._called(op, frames, func, depth, whole=whole)
        return self._asked[key]

    def _called(
        self, op: Op, frames: tuple[Frame, ...], func: Func, depth: int, *, whole: bool
    ) -> Judgement | None:
        """
        Judge the places that call *func*.
        """
        sites = [s for s in self._calls.sites(func) if not s.func.module.is_test]
        if len(sites) > MANY:
            return self._say(Rank.CALLED, "called in many places", op, func)
        known = []
        for site in sites:
            judged = self._site(op, site, depth, whole=whole)
            if judged is not None:
                known.append(judged)
                if judged.rank <= Rank.CALLED:
                    break
        if not known:
            root = self._root(op, func, bool(sites), whole=whole)
            return root
        return min(known, key=lambda each: each.rank)

    def _site(self, op: Op, site: Site, depth: int, *, whole: bool) -> Judgement | None:
        func = site.func
        if site.handed:
            if site.handed in RUNS:
                return self._reached(op, site.frames, func, depth + 1, whole=whole)
            if site.handed in CALLBACKS or site.handed in {"create_task", "ensure_future", "start_soon"}:
                return self._say(Rank.SURE, f"handed to {site.handed}", op, func)
            if site.handed in AT_EXIT or re.search(r"shutdown|cleanup|stop|atexit", site.handed):
                return self._say(Rank.SHUTDOWN, "only when the program ends", op, func)
            if re.search(r"^(on|once|subscribe|listen|add_listener|connect|bind|add_handler)", site.handed):
                return self._say(Rank.EVENT, f"only when {site.handed}() tells", op, func)
            return self._say(Rank.CALLED, f"handed to {site.handed}", op, func)
        if func.fact.qualname == MODULE:
            return self._say(Rank.CALLED, "called at import", op, func)
        if any(f.kind == DEFERRED for f in site.frames) and _handed_on(site, self._calls):
            return self._say(Rank.SURE, "a callback removes it", op, func)
        if not whole and id(func) not in self._adders and self._adds(func):
            judged = self._flow(func, op)
            if judged is not None:
                return judged
            if _rolls_back(site):
                return None
        if not whole and id(func) in self._adders:
            judged = self._flow(func, op)
            if judged is not None or _rolls_back(site):
                return judged
        if whole and any(frame.kind == AROUND and frame.detail for frame in site.frames):
            return self._reached(op, (), func, depth + 1, whole=True)
        if self._is_cap_test(site):
            return self._say(Rank.SURE, "its size is limited", op, func)
        return self._reached(op, site.frames, func, depth + 1, whole=whole)

    def _is_cap_test(self, site: Site) -> bool:
        return any(f.kind == TEST and SIZE.search(f.text) and "len" in f.text for f in site.frames)

    def _adds(self, func: Func) -> bool:
        """
        Tell whether *func* calls something that puts an entry in.
        """
        return any(self._effect_of(seen.event, func) is Effect.TAKE for seen in self._calls.events(func))

    def _root(
        self, op: Op, func: Func, called: bool, *, whole: bool
    ) -> Judgement | None:
        """
        Judge a function that nobody calls: who does?
        """
        name, decorators = func.name, " ".join(func.fact.decorators)
        if BEGINS.match(name):
            return self._say(Rank.CALLED, "called as the program starts", op, func)
        if whole and SHUTDOWN.match(name):
            return self._say(Rank.SHUTDOWN, f"only {name}() empties it", op, func)
        routed = ROUTE.search(f".{decorators}") if decorators else None
        if re.search(r"\.(event|on|listen|listener|subscribe\w*|on_event|receiver)\b", f".{decorators}"):
            told = f"{name} {decorators}"
            if re.search(r"(?i)(^|[ ._])disconnect", told):
                return self._late(op, func, f"{name}() is owed by the transport")
            return self._say(Rank.EVENT, f"only when {name}() is called", op, func)
        if called and not routed:
            return self._say(Rank.CALLED, "called elsewhere", op, func)
        if re.search(r"(?i)disconnect|deleted|close|leave|left|end\b|gone|remove", decorators) and routed:
            rank = Rank.COMMAND if re.search(r"\.(delete|post|put|command|tool)\b", decorators) else Rank.EVENT
            how = "asks for it" if rank is Rank.COMMAND else "comes"
            return self._say(rank, f"only when {decorators.partition(' ')[2] or name} {how}", op, func)
        if ".delete" in decorators or (routed and COMMAND.search(name)):
            return self._say(Rank.COMMAND, f"only when somebody asks for {name}()", op, func)
        if TRANSPORT_EVENT.match(name):
            return self._late(op, func, f"{name}() is owed by the transport")
        if re.match(r"^_*(quit|bye|logout|log_out|kick|leave|sign_?out)(_|$)", name):
            return self._say(Rank.COMMAND, f"only when somebody asks for {name}()", op, func)
        if EVENT.match(name):
            return self._say(Rank.EVENT, f"only when {name}() is called", op, func)
        if routed or decorators:
            return self._say(Rank.CALLED, "called by a framework", op, func)
        own = self._calls.project.type_of(func)
        if own is not None and self._overrides(func):
            return self._say(Rank.CALLED, "called by its base class", op, func)
        if self._is_unused(func):
            return self._say(Rank.DEAD, f"nobody calls {name}()", op, func)
        return self._say(Rank.CALLED, f"whoever uses {name}()", op, func)

    def _overrides(self, func: Func) -> bool:
        own = self._calls.project.type_of(func)
        if own is None:
            return False
        if func.name.startswith("__") and func.name.endswith("__"):
            return True
        lineage = list(self._calls.project.lineage(own))
        known = {base.rpartition(".")[2] for each in lineage for base in each.fact.bases}
        ours = {each.name for each in lineage}
        foreign = known - ours - {"object", "ABC", "Protocol", "Generic", "Mapping", "BaseModel", ""}
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
        adders = {id(op.func): op.func for op in self._kept.writes() if op.func.fact.qualname != MODULE}
        used = any(
            self._calls.sites(adder)
            or any(ROUTE.search(f".{d}") for d in adder.fact.decorators)
            or EVENT.match(adder.name)
            for adder in adders.values()
        )
        parent = func.fact.qualname.rpartition(".")[0]
        if parent and parent != func.fact.cls and any(
            f.qualname == parent for f in func.module.facts.functions
        ):
            return False  # it is handed out by the function that it is defined in
        private = func.name.startswith("_") and not func.name.startswith("__")
        return used or private or bool(SWEEP.search(func.name))

    def _effect_of(self, event: Event, func: Func) -> Effect:
        if event[0] != OP:
            return Effect.NONE
        _, path, name, _, _, key, _, _ = event
        several, inner = self._calls.containers.resolve(func, path)
        if self._kept in several and not inner:
            if name in GROW:
                return Effect.TAKE
            if name in {"pop", "del[]", "remove", "discard", "clear", "popitem", "-=", "difference_update"}:
                return Effect.GIVE
            return Effect.NONE
        called = _called(event)
        for target in self._calls.project.named.get(called, ()):
            takes, gives = id(target) in self._adders, id(target) in self._removers
            if (takes or gives) and target is not func and self._is_call_of(event, func, target):
                return Effect.GIVE if gives and not takes else Effect.TAKE if not gives else Effect.NONE
            if not takes and not gives and target is not func and self._leads(target):
                if self._is_call_of(event, func, target):
                    return Effect.GIVE
        return Effect.NONE

    def _leads(self, target: Func) -> bool:
        """
        Tell whether *target* does little more than call what removes.
        """
        for op in self._removers.values():
            for site in self._calls.sites(op.func):
                if site.func is target and not site.handed and not self._adds_itself(target):
                    return not any(f.kind in {EXCEPT, AROUND} for f in site.frames)
        return False

    def _adds_itself(self, func: Func) -> bool:
        return id(func) in self._adders

    def _is_call_of(self, event: Event, func: Func, target: Func) -> bool:
        return any(site.func is func and site.event == event for site in self._calls.sites(target))

    def _ways(
        self, func: Func
    ) -> tuple[Ways, tuple[Way, ...], Callable[[Event], Effect]]:
        """
        Walk *func*, and return the ways out of it.
        """
        effects: dict[int, Effect] = {}

        def effect(event: Event) -> Effect:
            found = effects.get(id(event))
            if found is None:
                found = effects[id(event)] = self._effect_of(event, func)
            return found

        def guarded(path: str) -> bool:
            return self._kept in self._calls.containers.resolve(func, path)[0]

        names = {
            name
            for op in self._kept.ops
            if op.func is func
            for name in re.split(r"\W+", op.key)
        }

        def asks(about: str) -> bool:
            return bool(about) and set(about.split()) <= names

        walker = Ways(effect, guarded, self._raises, asks)
        return walker, walker.of(func.fact.block()), effect

    def _raises(self, event: Event) -> bool:
        """
        Tell whether an event calls a function of ours that raises an error of its own.
        """
        called = _called(event)
        targets = self._calls.project.named.get(called, ())
        return len(targets) == 1 and bool(targets[0].fact.flags & RAISES) and called not in GENERIC

    def _flow(self, func: Func, op: Op) -> Judgement | None:
        """
        Judge a function that both adds and removes; None if it does not mean to do both in one go.
        """
        walker, ways, effect = self._ways(func)
        if not (walker.taken and walker.given):
            return None
        ends = [way for way in ways if way.kind in {"end", "return"}]
        last = max(ends, key=lambda way: way.line, default=None)
        gives = [s for s in self._calls.events(func) if effect(s.event) is Effect.GIVE]
        for seen in gives:
            if _finally(seen.frames, str(seen.event[5])) is False:
                why = "in a finally, behind another condition"
                return self._say(Rank.GUARDED, why, op, func, [w for w in ways if w.held])
        final = any(f.kind == FINALLY for seen in gives for f in seen.frames)
        if last is not None and last.held and not final:
            return None
        missed = [way for way in ways if way.held and way.kind != "end"]
        strong = [way for way in missed if not way.weak]
        if not strong:
            behind = self._behind_condition(gives, func)
            if behind is not None:
                return self._say(Rank.GUARDED, f"behind a condition in {behind.name}()", op, behind)
            return self._say(Rank.SURE, "removed on every way out", op, func)
        if all(_one_except(seen.frames) for seen in gives):
            if all(way.kind == "cancelled" for way in strong):
                return self._say(Rank.CANCELLED, "not if it is cancelled", op, func, strong)
            types = {f.text for seen in gives for f in seen.frames if f.kind == EXCEPT}
            why = f"only on {' or '.join(sorted(types))}"
            return self._say(Rank.ONE_EXCEPT, why, op, func, strong)
        if final and all(way.kind == "return" for way in strong):
            return self._say(Rank.GUARDED, "in a finally, behind another condition", op, func, strong)
        return self._say(Rank.STRAIGHT, "only if nothing before it fails", op, func, strong)

    def _behind_condition(self, gives: Iterable[Seen], func: Func) -> Func | None:
        """
        Return the function that is called to remove, where it asks for something else first.
        """
        for seen in gives:
            called = _called(seen.event)
            for op in self._removers.values():
                if op.func is not func and op.func.name == called:
                    if any(f.kind == TEST and not _harmless(f, op.key) for f in op.frames):
                        return op.func
        return None

    def _late(self, op: Op, func: Func, why: str) -> Judgement:
        """
        Judge a removal that is reached on every way out, but may stand behind what fails.
        """
        remover = op.func
        if not op.frames or not any(f.kind == FINALLY for f in op.frames):
            awaited = [w for w in self._before(remover, op) if not w.weak]
            if awaited:
                return self._say(Rank.LATE, "after what may fail", op, remover, awaited)
        del func
        return self._say(Rank.SURE, why, op)

    def _before(self, func: Func, op: Op) -> list[Way]:
        """
        Return the ways out of a removing function on which it has not removed yet.
        """

        def effect(event: Event) -> Effect:
            return Effect.GIVE if event[0] == OP and event[3] == op.line and event[2] == op.name else Effect.NONE

        def guarded(path: str) -> bool:
            return self._kept in self._calls.containers.resolve(func, path)[0]

        ways = Ways(effect, guarded).of(func.fact.block(), held=True)
        return [w for w in ways if w.held and w.kind in {"cancelled", "exception", "raise"} and w.line < op.line]


def _text(key: str) -> str:
    return key.partition(":")[2].partition("<")[0].partition("|")[0]


def _managed(func: Func) -> bool:
    return any("contextmanager" in each or "fixture" in each for each in func.fact.decorators) or True


def _finally(frames: tuple[Frame, ...], key: str) -> bool | None:
    """
    Tell whether frames lead through a finally: True, or False where another condition is in it.
    """
    at = max((i for i, frame in enumerate(frames) if frame.kind == FINALLY), default=-1)
    if at < 0:
        return None
    for frame in frames[at + 1 :]:
        if frame.kind == TEST and not _harmless(frame, key):
            return False
    return True


def _harmless(frame: Frame, key: str) -> bool:
    """
    Tell whether a test is about the entry itself.
    """
    branch, guards = frame.detail
    if guards or not branch:
        return True
    asked = [name for name in frame.text.split() if name not in {"None", "len", "self", "cls", "isinstance"}]
    named = set(re.split(r"\W+", key))
    if set(asked) <= named:
        return True
    return len(asked) == 1 and not re.search(r"(?i)terminat|close|done|err|fail|succe|complet|ok$|cancel|crash|clean|own|exc", asked[0])


def _called(event: Event) -> str:
    """
    Return the last name of what an event calls.
    """
    called = event[1].rpartition(".")[2] if event[2] == "()" else str(event[2])
    return called.lstrip("@$%").rpartition(">")[2]


def _one_except(frames: tuple[Frame, ...]) -> bool:
    handler = next((f for f in reversed(frames) if f.kind == EXCEPT), None)
    if handler is None:
        return False
    types = set(handler.text.split())
    return bool(types) and not types & EVERYTHING


def _rolls_back(item: Op | Site) -> bool:
    """
    Tell whether something stands in an except: it undoes what did not come to be.
    """
    return any(frame.kind == EXCEPT for frame in item.frames)


def _handed_on(op: Op | Site, calls: Calls) -> bool:
    """
    Tell whether a lambda is handed to what calls it in the end.
    """
    line = next(frame.line for frame in op.frames if frame.kind == DEFERRED)
    return any(
        seen.event[3] in {line, line - 1} and seen.event[2] in CALLBACKS for seen in calls.events(op.func)
    )


__all__ = ["SUBCODE", "Assurance", "Judgement", "Rank", "RESET", "WITHIN", "BODY"]
