"""
What an event does to one container: by itself, or by what it calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from sessionstate.audit._calling import Calls
from sessionstate.audit._conditions import is_about_key, is_harmless
from sessionstate.audit._containers import Kept, Op
from sessionstate.audit._contexts import AROUND, EXCEPT, TEST, Seen
from sessionstate.audit._events import OP, Event, called
from sessionstate.audit._facts import MODULE, RAISES
from sessionstate.audit._flow import Effect, Way, Ways
from sessionstate.audit._project import GENERIC, Func
from sessionstate.audit._vocabulary import COUNT, GROW

GIVES: Final = frozenset(
    {"pop", "del[]", "remove", "discard", "clear", "popitem", "-=", "difference_update"}
)
"""What takes out the entry that was put in, as far as one function can tell."""
WHOLE: Final = frozenset({"clear", "=", "=filter", "[:]="})
"""What takes out more than one entry."""
ENDS: Final = frozenset({"end", "return"})
"""Ways out that are meant."""
FAILS: Final = frozenset({"cancelled", "exception", "raise"})
"""Ways out that are not."""


class Effects:
    """
    Knows what puts an entry into a container, and what takes it out.
    """

    def __init__(self, kept: Kept, calls: Calls) -> None:
        self._kept = kept
        self.calls = calls
        self.adders = {id(op.func): op for op in kept.writes() if op.func.fact.qualname != MODULE}
        """By function, an operation in it that puts an entry in."""
        self.removers = {id(op.func): op for op in kept.removals() if _by_key(op)}
        """By function, an operation in it that takes one entry out."""
        self._both: dict[int, Effect] = {}

    def of(self, event: Event, func: Func) -> Effect:
        """
        Return what *event* does in *func*.
        """
        if event[0] != OP:
            return Effect.NONE
        path, name = event[1], event[2]
        several, inner = self.calls.containers.resolve(func, path)
        if self._kept in several and not inner:
            counts = name == COUNT and (self._kept.creates or self._kept.kind == "Counter")
            if name in GROW or counts:
                return Effect.TAKE
            return Effect.GIVE if name in GIVES else Effect.NONE
        for target in self.calls.project.named.get(called(event), ()):
            if target is func or not self._is_call_of(event, func, target):
                continue
            takes, gives = id(target) in self.adders, id(target) in self.removers
            if takes and gives:
                return self._of_both(target)
            if takes:
                return Effect.TAKE
            if gives or self._leads(target):
                return Effect.GIVE
        return Effect.NONE

    def _of_both(self, target: Func) -> Effect:
        """
        Tell what a function does in the end that both puts in and takes out: it counts, or it caps.
        """
        known = self._both.get(id(target))
        if known is None:
            self._both[id(target)] = Effect.NONE  # while it is being asked
            ways = [w for w in self.ways(target)[1] if w.kind in ENDS]
            held = any(way.held for way in ways)
            known = self._both[id(target)] = Effect.TAKE if held else Effect.GIVE
        return known

    def _leads(self, target: Func) -> bool:
        """
        Tell whether *target* does little more than call what removes.
        """
        for op in self.removers.values():
            for site in self.calls.sites(op.func):
                if site.func is target and not site.handed:
                    return not any(f.kind in {EXCEPT, AROUND} for f in site.frames)
        return False

    def _is_call_of(self, event: Event, func: Func, target: Func) -> bool:
        return any(site.func is func and site.event == event for site in self.calls.sites(target))

    def ways(self, func: Func) -> tuple[Ways, tuple[Way, ...], Callable[[Event], Effect]]:
        """
        Walk *func*, and return the ways out of it.
        """
        effects: dict[int, Effect] = {}

        def effect(event: Event) -> Effect:
            found = effects.get(id(event))
            if found is None:
                found = effects[id(event)] = self.of(event, func)
            return found

        def guarded(path: str) -> bool:
            return self._kept in self.calls.containers.resolve(func, path)[0]

        own = [op.key for op in self._kept.ops if op.func is func]

        def asks(about: str) -> bool:
            return bool(about) and any(is_about_key(about, key) for key in own)

        walker = Ways(effect, guarded, self._raises, asks)
        return walker, walker.of(func.fact.block()), effect

    def _raises(self, event: Event) -> bool:
        """
        Tell whether an event calls a function of ours that raises an error of its own.
        """
        name = called(event)
        targets = self.calls.project.named.get(name, ())
        return len(targets) == 1 and bool(targets[0].fact.flags & RAISES) and name not in GENERIC

    def adds(self, func: Func) -> bool:
        """
        Tell whether *func* calls something that puts an entry in.
        """
        return any(self.of(seen.event, func) is Effect.TAKE for seen in self.calls.events(func))

    def behind_condition(self, gives: Iterable[Seen], func: Func) -> Func | None:
        """
        Return the function that is called to remove, where it asks for something else first.
        """
        for seen in gives:
            name = called(seen.event)
            for op in self.removers.values():
                conditions = (f for f in op.frames if f.kind == TEST)
                if (
                    op.func is not func
                    and op.func.name == name
                    and any(not is_harmless(f, op.key) for f in conditions)
                ):
                    return op.func
        return None

    def before(self, func: Func, lines: set[int], begin: int) -> list[Way]:
        """
        Return the ways out of a removing function on which it has not removed yet.
        """

        def effect(event: Event) -> Effect:
            return Effect.GIVE if event[0] == OP and event[3] in lines else Effect.NONE

        def guarded(path: str) -> bool:
            return self._kept in self.calls.containers.resolve(func, path)[0]

        def asks(about: str) -> bool:
            return any(is_about_key(about, op.key) for op in self.removers.values())

        ways = Ways(effect, guarded, asks=asks).of(func.fact.block(), held=True)
        last = max(lines)
        return [w for w in ways if w.held and w.kind in FAILS and begin <= w.line < last]

    def entering(self, func: Func) -> tuple[Func, list[Way]] | None:
        """
        Return the `__enter__` that puts the entry in and may fail after that, with its ways out.
        """
        own = self.calls.project.type_of(func)
        for name in ("__aenter__", "__enter__"):
            enter = own.methods.get(name) if own is not None else None
            if enter is not None and id(enter) in self.adders:
                ways = self.ways(enter)[1]
                missed = [w for w in ways if w.held and not w.weak and w.kind not in ENDS]
                if missed:
                    return enter, missed
        return None


def _by_key(op: Op) -> bool:
    return op.name not in WHOLE and not op.via
