"""
How a function that nobody in the project calls comes to run: what its name and decorators tell.
"""

from __future__ import annotations

import re
from typing import Final

from sessionstate.audit._containers import Kept, Op
from sessionstate.audit._effects import Effects
from sessionstate.audit._facts import MODULE
from sessionstate.audit._leaving import late
from sessionstate.audit._owners import ROUTE, is_routed
from sessionstate.audit._project import Func
from sessionstate.audit._ranks import Judgement, Rank, say
from sessionstate.audit._vocabulary import COMMAND, EVENT, SHUTDOWN, SWEEP, TRANSPORT_EVENT

BEGINS: Final = re.compile(
    r"^_*(__init__|__post_init__|__new__|init__|new__|main|amain|async_main|run\w*|serve\w*|start\w*|a?enter_*|lifespan|setup|set_up|on_startup|startup|cli)$"
)
"""Functions that begin something, and so run though nobody in the project calls them."""
DELETES: Final = re.compile(r"^a?(delete|remove|forget|purge|drop|revoke|discard)(_|$)")
"""Methods that whoever uses the class asks for."""
GOODBYE: Final = re.compile(
    r"^_*(do_|cmd_|command_|handle_)?(quit|bye|logout|log_out|kick|leave|sign_?out)(_|$)"
)
"""Functions that a client asks for when it goes, if it does."""
VERBS: Final = frozenset(
    {"get", "post", "put", "patch", "delete", "on_get", "on_post", "on_delete"}
)
"""Methods of a resource that run for a request."""
MESSAGE: Final = re.compile(
    r"^_*(receive(_json|_text|d)?|(on_|handle_|process_|dispatch_)?(message|data|datagram|frame|packet"
    r"|command|request|line|event|update|reply|response|answer|result)s?(_received)?|dispatch|received?)$"
)
"""Functions that are given what a client sends."""
DISPATCHED: Final = re.compile(
    r"^_*(handle|do|visit|cmd|command|rpc|on|process|action|op|exec|api|async_step)_"
)
"""Functions that are found by their name, for what a client sends."""
WEBSOCKET: Final = re.compile(
    r"websocket|\.ws\b|middleware|lifespan|on_event|task|cron|interval|scheduled|loop"
)
"""Decorators of what runs for as long as a connection, or by itself."""
AT_END: Final = re.compile(r"shutdown|atexit|cleanup|teardown")
"""Decorators of what runs when the program ends."""
SUBSCRIBED: Final = re.compile(r"\.(event|on|listen|listener|subscribe\w*|on_event|receiver)\b")
"""Decorators of what is told of events."""
OWED: Final = re.compile(r"(?i)(^|[ ._])(disconnect|connectionstate|close[d ]|ended)")
"""Events that come for each connection in the end."""
LEAVES: Final = re.compile(r"(?i)disconnect|deleted|close|leave|left|end\b|gone|remove")
"""Routes of what runs when somebody goes."""
ASKED: Final = re.compile(r"\.(delete|post|put|command|tool)\b")
"""Decorators of what somebody asks for."""
NEUTRAL: Final = frozenset({"object", "ABC", "Protocol", "Generic", "Mapping", "BaseModel", ""})
"""Base classes that call none of the methods that they do not know."""


class Roots:
    """
    Judges where the calls of what removes from one container begin.
    """

    def __init__(self, kept: Kept, effects: Effects) -> None:
        self._kept = kept
        self._effects = effects
        self._calls = effects.calls

    def judged(self, op: Op, func: Func, *, called: bool, whole: bool) -> Judgement:
        """
        Judge *func*, which nobody in the project calls at the right time, or nobody at all.

        Args:
            op: What removes.
            func: What it is reached by.
            called: Whether somebody calls it.
            whole: Whether everything is removed, not one entry.
        """
        name, decorators = func.name, " ".join(func.fact.decorators)
        if BEGINS.match(name):
            return say(Rank.CALLED, "called as the program starts", op, func)
        if whole and (SHUTDOWN.match(name) or AT_END.search(decorators)):
            return say(Rank.SHUTDOWN, f"only {name}() empties it", op, func)
        routed = ROUTE.search(f".{decorators}") if decorators else None
        if SUBSCRIBED.search(f".{decorators}"):
            told = f"{name} {decorators}"
            if OWED.search(f"{told} "):
                return late(self._effects, op, func, f"{name}() is owed by the transport")
            return say(Rank.EVENT, f"only when {name}() is called", op, func)
        if called and not routed:
            return say(Rank.CALLED, "called elsewhere", op, func)
        if routed and LEAVES.search(decorators):
            what = decorators.partition(" ")[2] or name
            if ASKED.search(decorators):
                return say(Rank.COMMAND, f"only when somebody asks for {what}", op, func)
            return say(Rank.EVENT, f"only when {what} comes", op, func)
        if ".delete" in decorators or (routed and COMMAND.search(name)):
            return say(Rank.COMMAND, f"only when somebody asks for {name}()", op, func)
        if TRANSPORT_EVENT.match(name) and not called and not func.fact.cls and not decorators:
            return say(Rank.DEAD, f"nobody calls {name}()", op, func)
        if TRANSPORT_EVENT.match(name):
            return late(self._effects, op, func, f"{name}() is owed by the transport")
        if GOODBYE.match(name):
            return say(Rank.COMMAND, f"only when somebody asks for {name}()", op, func)
        if not called and not decorators and SWEEP.search(name) and self._is_unused(func):
            return say(Rank.DEAD, f"nobody calls {name}()", op, func)
        asked = not called and not decorators and DELETES.match(name)
        if asked and not self._is_unused(func):
            return say(Rank.ASKED, f"only when somebody asks for {name}()", op, func)
        if EVENT.match(name):
            return say(Rank.EVENT, f"only when {name}() is called", op, func)
        if not called and not whole and DISPATCHED.match(name):
            return say(Rank.EVENT, f"only when {name}() is asked for", op, func)
        if MESSAGE.match(name) and not whole:
            return say(Rank.EVENT, "only when a message says so", op, func)
        if routed and not whole and not WEBSOCKET.search(decorators):
            return say(Rank.EVENT, f"only when {name}() is asked for it", op, func)
        if decorators:
            return say(Rank.CALLED, "called by a framework", op, func)
        if name in VERBS and not whole and self._overrides(func):
            return say(Rank.EVENT, f"only when {name}() is asked for it", op, func)
        if self._overrides(func):
            return say(Rank.CALLED, "called by its base class", op, func)
        if self._is_unused(func):
            return say(Rank.DEAD, f"nobody calls {name}()", op, func)
        return say(Rank.CALLED, f"whoever uses {name}()", op, func)

    def _overrides(self, func: Func) -> bool:
        """
        Tell whether the base class of *func*, which is somebody else's, calls it.
        """
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
        foreign = known - ours - NEUTRAL
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
            self._calls.sites(adder) or is_routed(adder) or EVENT.match(adder.name)
            for adder in adders.values()
        )
        parent = func.fact.qualname.rpartition(".")[0]
        around = {each.qualname for each in func.module.facts.functions} - {func.fact.cls}
        if parent in around:
            return False  # it is handed out by the function that it is defined in
        private = func.name.startswith("_") and not func.name.startswith("__")
        return used or private or bool(SWEEP.search(func.name))
