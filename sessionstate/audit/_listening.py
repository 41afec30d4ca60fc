"""
SS004: a listener outlives the session that it serves.

Three things must come together: the emitter outlives the session (it is somebody else's), the
handler holds the session (it is bound to it, or refers to its variables), and nothing takes it back
on every way out. Who only sets things up, once, is never meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from sessionstate.audit._emitters import MADE_BY, PAIRS, WEAK, is_ours, outlives
from sessionstate.audit._events import OP, Event, called
from sessionstate.audit._facts import MODULE
from sessionstate.audit._findings import Confidence, Exit, Finding, Severity
from sessionstate.audit._flow import Effect, Ways, flattened
from sessionstate.audit._lowering import TRY, Block
from sessionstate.audit._project import Func, Project, Type
from sessionstate.audit._servers import (
    SETS_UP,
    all_statements,
    is_async,
    is_script,
    later,
    made_in,
    mentions,
    outer_of,
    passing,
    session_parameters,
    shown,
    single,
    statements,
    target_of,
)
from sessionstate.audit._settings import Settings
from sessionstate.audit._vocabulary import EVENT, LONG_OWNER

SIGNAL: Final = re.compile(
    r"(^|[._@$])(signals?|\w*_signal|\w+_(changed|received|sent|created|updated|deleted))$"
)
ENDINGS: Final = re.compile(r"^on_?(delete|disconnect|close|end|leave|exit|stop)\w*$|^on[A-Z]\w*")
ARRIVES: Final = re.compile(
    r"^(wait_?(for|until)?_?)?(connected|ready|connection|handshake|is_connected)$"
)
ADVICE: Final = (
    "take it back in a finally that begins right after; or let the session: s.listen(bus, ...)"
)


class Listener(NamedTuple):
    """
    Where a listener is registered.
    """

    func: Func
    block: Block
    emitter: str
    verb: str
    handler: str
    line: int
    column: int
    result: str
    """What the result is bound to; an empty string if it is dropped."""
    offs: tuple[str, ...]

    @property
    def tail(self) -> str:
        """
        The last name of the emitter.
        """
        return self.emitter.rpartition(".")[2].rpartition(">")[2].lstrip("@$%^")


def findings(project: Project, settings: Settings | None = None) -> Iterator[Finding]:
    """
    Yield each listener that may outlive the session it serves.
    """
    told: Mapping[str, str] = settings.listener_pairs if settings is not None else {}
    pairs: dict[str, tuple[str, ...]] = dict(PAIRS)
    for on, off in told.items():
        pairs[on] = (off, *pairs.get(on, ()))
    own = set(told)
    seen: set[int] = set()
    for verb in pairs:
        for func in project.callers.get(verb, ()):
            if func.fact.qualname == MODULE or id(func) in seen or not func.fact.parameters:
                continue
            seen.add(id(func))
            if _serves(project, func, settings) and not is_script(func.module):
                for each in _listeners(project, func, pairs, own):
                    yield from _judge(project, each)
    yield from _late(project)


def _serves(project: Project, func: Func, settings: Settings | None) -> bool:
    """
    Tell whether *func* runs for one session.
    """
    kind = project.type_of(func)
    method = kind is not None and func.fact.qualname == f"{kind.fact.qualname}.{func.name}"
    if kind is not None and _many(project, kind):
        return True
    if SETS_UP.match(func.name):
        return False
    if method and not is_async(func) and not session_parameters(func, settings):
        return False
    if session_parameters(func, settings):
        return is_async(func) or func.name.startswith(("on_", "handle", "_handle"))
    outer = outer_of(func)
    return outer is not None and any(
        each.fact.qualname == outer
        and each.module is func.module
        and _serves(project, each, settings)
        for each in project.named.get(outer.rpartition(".")[2], ())
    )


def _many(project: Project, kind: Type) -> bool:
    """
    Tell whether there is one of a class for each session.
    """
    if single(project, kind):
        return False
    if passing(kind):
        return True
    if LONG_OWNER.search(kind.name):
        return False
    makers = made_in(project, kind)
    return bool(makers) and all(
        session_parameters(each) and is_async(each) and not SETS_UP.match(each.name)
        for each in makers
    )


def _listeners(
    project: Project, func: Func, pairs: Mapping[str, tuple[str, ...]], own: set[str]
) -> Iterator[Listener]:
    block = func.fact.block()
    partials: set[str] = set()
    for tag, _, events in statements(block):
        if any(map(_binds, events)):
            partials.update(event[1] for event in events if event[2:3] == ("let",))
        for index, event in enumerate(events):
            if event[0] != OP or event[2] not in pairs or not event[6]:
                continue
            path, verb = event[1], event[2]
            if tag == "W" or (tag == "R" and event is events[-1]):
                continue
            if verb in WEAK and verb not in own and not _meant(path, event):
                continue
            handler = _handler(event, events[:index], func, partials)
            if handler is None or not outlives(project, func, path):
                continue
            target = target_of(events, index)
            result = target[0] if target is not None else ""
            yield Listener(
                func, block, path, verb, handler, event[3], event[4], result, pairs[verb]
            )


def _meant(path: str, event: Event) -> bool:
    """
    Tell whether a word that means many things registers a listener here.
    """
    if event[2] == "connect":
        return bool(SIGNAL.search(path))
    tail = path.rpartition(".")[2].rpartition(">")[2].lstrip("@$%^")
    return bool(MADE_BY.search(tail)) and len(event[6]) <= 3  # noqa: PLR2004 - event, handler, option


def _handler(event: Event, before: tuple[Event, ...], func: Func, partials: set[str]) -> str | None:
    """
    Return the handler if it holds what belongs to the session; None otherwise.
    """
    for given in reversed(event[6]):
        name, _, value = given.partition("=")
        each = value if name.isidentifier() and value else given
        if each.startswith("self.") and func.fact.cls:
            last = each.rpartition(".")[2]
            return each if _callable(func, last) else None
        if each.startswith(f"^{func.fact.qualname}>"):
            return each if _refers(func, each.rpartition(">")[2]) else None
        if each.startswith("~r:") and ("partial()" in each or each == "~r:"):
            held = any(
                one[1].startswith((f"^{func.fact.qualname}>", "self")) for one in later(before)
            )
            return each if held or any(map(_binds, before)) else None
        if each in partials:
            return each
        if each.startswith(("$", "%")) and "." in each:
            last = each.rpartition(".")[2]
            return (
                each
                if re.match(r"(send|put|write|on_|handle|push|notify|emit|set)\w*$", last)
                else None
            )
    return None


def _binds(event: Event) -> bool:
    """
    Tell whether an event is a `partial` over a variable, or over an object's own method.
    """
    if event[0] != OP or called(event) != "partial":
        return False
    return any(given.rpartition("=")[2].startswith(("$", "self", "%")) for given in event[6])


def _callable(func: Func, name: str) -> bool:
    prefix = func.fact.cls
    return any(each.qualname == f"{prefix}.{name}" for each in func.module.facts.functions) or bool(
        re.match(r"_?(on|handle)_?[a-z]", name)
    )


def _refers(func: Func, name: str) -> bool:
    """
    Tell whether a function defined in *func* refers to a variable of it, or to `self`.
    """
    wanted = f"{func.fact.qualname}.{name}"
    for fact in func.module.facts.functions:
        if fact.qualname == wanted or fact.qualname.startswith(f"{wanted}."):
            for event in flattened(fact.block()):
                paths = (event[1], *event[6])
                if any(each.startswith((f"^{func.fact.qualname}>", "self.")) for each in paths):
                    return True
    return False


def _judge(project: Project, on: Listener) -> Iterator[Finding]:
    if on.result and on.result[0] != "$":
        return  # Somebody keeps what takes it back.
    gives = _gives(on)
    here = [event for event in _all(on.block) if gives(event)]
    name = shown(on.func, on.emitter)
    said = f"the listener on {name} holds what belongs to the session"
    if here:
        exits = _exits(on, gives)
        if exits:
            where = exits[0].line
            yield _finding(
                on,
                "SS004",
                Confidence.MEDIUM,
                f"{said}, and stays if cancelled at line {where}",
                exits,
            )
        return
    if on.result and any(
        event[1] == on.result
        or mentions(event, {on.result})
        or event[1].startswith(f"{on.result}.")
        for event in _all(on.block)
        if event[2] != "let"
    ):
        return
    elsewhere = _taken_back(project, on)
    if not elsewhere:
        sureness = (
            Confidence.MEDIUM if outlives(project, on.func, on.emitter) > 1 else Confidence.LOW
        )
        yield _finding(on, "SS004", sureness, f"{said}, and nothing takes it back")
    elif all(EVENT.match(each.name) for each in elsewhere):
        names = " or ".join(sorted({f"{each.name}()" for each in elsewhere})[:2])
        yield _finding(on, "SS004b", Confidence.LOW, f"{said}, and goes only if {names} is called")


def _all(block: Block) -> Iterator[Event]:
    return (event for event in flattened(block) if event[0] == OP)


def _gives(on: Listener) -> Callable[[Event], bool]:
    """
    Return what tells whether an event takes the listener back.
    """
    offs = frozenset(on.offs)
    methods = {f"{on.emitter}.{off}" for off in offs}

    def gives(event: Event) -> bool:
        if event[0] != OP:
            return False
        if event[1] == on.emitter and event[2] in offs:
            return True
        if (
            on.result
            and (event[1] == on.result or mentions(event, {on.result}))
            and event[2] != "let"
        ):
            return True
        return mentions(event, methods)

    return gives


def _exits(on: Listener, gives: Callable[[Event], bool]) -> tuple[Exit, ...]:
    """
    Return where a cancellation leaves the listener behind.
    """

    def effect(event: Event) -> Effect:
        if event[0] == OP and event[3:5] == (on.line, on.column) and event[2] == on.verb:
            return Effect.TAKE
        return Effect.GIVE if gives(event) else Effect.NONE

    final: set[int] = set()
    for statement in all_statements(on.block):
        if statement[0] == TRY:
            for block in (statement[5], *(part for _, _, part in statement[3])):
                final.update(event[3] for event in _all(block))
    ways = Ways(effect).of(on.block)
    lines = sorted(
        {way.line for way in ways if way.held and way.kind == "cancelled" and way.line not in final}
    )
    return tuple(Exit(line, "cancelled", f"leaks if cancelled at line {line}") for line in lines)


def _taken_back(project: Project, on: Listener) -> list[Func]:
    """
    Return the functions that take a listener back from an emitter of that name.
    """
    found: list[Func] = []
    for off in on.offs:
        for func in project.callers.get(off, ()):
            if on.verb in func.fact.calls:
                continue  # It takes back its own.
            here = func.module is on.func.module and func.fact.cls == on.func.fact.cls
            same = here or is_ours(project, func, on.func)
            if same and any(
                _tail(event[1]) == on.tail or any(on.tail in given for given in event[6])
                for event in flattened(func.fact.block())
                if event[2] == off or any(given.endswith(f".{off}") for given in event[6])
            ):
                found.append(func)
    return found


def _tail(path: str) -> str:
    return path.rpartition(".")[2].rpartition(">")[2].lstrip("@$%^")


def _late(project: Project) -> Iterator[Finding]:
    """
    Yield each clean-up that is registered only once somebody has connected.
    """
    for func in project.functions:
        if not is_async(func) or not any(map(ENDINGS.match, func.fact.calls)):
            continue
        if not any(map(ARRIVES.match, func.fact.calls)):
            continue
        waited: dict[str, int] = {}
        for _, _, events in statements(func.fact.block()):
            for event in events:
                if event[0] != OP:
                    continue
                if ARRIVES.match(event[2]) and not event[6] and any(e[0] == "w" for e in events):
                    waited[event[1]] = event[3]
                elif ENDINGS.match(event[2]) and event[1] in waited and event[6]:
                    line = waited[event[1]]
                    said = f"registered only after the await at line {line}, which may never return"
                    on = Listener(func, (), event[1], event[2], "", event[3], event[4], "", ())
                    exits = (Exit(line, "event", f"leaks if nothing comes at line {line}"),)
                    yield _finding(on, "SS004b", Confidence.MEDIUM, said, exits)


def _finding(
    on: Listener, code: str, sureness: Confidence, said: str, exits: tuple[Exit, ...] = ()
) -> Finding:
    return Finding(
        rule="SS004",
        code=code,
        path=on.func.module.path,
        line=on.line,
        column=on.column,
        container=shown(on.func, on.emitter),
        severity=Severity.ERROR if code == "SS004" and not exits else Severity.WARNING,
        confidence=sureness,
        message=said,
        exits=exits,
        advice=ADVICE,
    )
