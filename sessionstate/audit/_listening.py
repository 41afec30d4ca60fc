"""
SS004: a listener outlives the session that it serves.

Three things must come together: the emitter outlives the session (it is somebody else's), the
handler holds the session (it is bound to it, or refers to its variables), and nothing takes it back
on every way out. Who only sets things up, once, is never meant.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from sessionstate.audit._emitters import BUS, SIGNAL, WEAK, is_ours, last_name, outlives, removers
from sessionstate.audit._events import LATER, OP, Event, called
from sessionstate.audit._facts import MODULE
from sessionstate.audit._findings import Confidence, Exit, Finding, Severity
from sessionstate.audit._flow import Effect, Ways, flattened
from sessionstate.audit._handlers import UNNAMED, binds, handler_of
from sessionstate.audit._lowering import RETURN, TRY, WITH, Block
from sessionstate.audit._project import Func, Project
from sessionstate.audit._servers import (
    ROUTE,
    SETS_UP,
    all_statements,
    every,
    is_async,
    is_script,
    later,
    many,
    mentions,
    outer_of,
    session_parameters,
    shown,
    statements,
    target_of,
)
from sessionstate.audit._settings import Settings
from sessionstate.audit._vocabulary import EVENT

ENDINGS: Final = re.compile(r"^on_?(delete|disconnect|close|end|leave|exit|stop)\w*$|^on[A-Z]\w*")
ARRIVES: Final = re.compile(
    r"^(wait_?(for|until)?_?)?(connected|ready|connection|handshake|is_connected)$"
)
OPENS: Final = re.compile(
    r"^(on_)?(open|connect|connected|connection|connection_made|accept|prepare|initialize|__init__)$"
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
    event: Event
    handler: str
    result: str
    """What the result is bound to; an empty string if it is dropped."""
    offs: tuple[str, ...]

    @property
    def emitter(self) -> str:
        """
        The path of what is listened to.
        """
        return str(self.event[1])

    def undone_by(self, event: Event) -> bool:
        """
        Tell whether an event takes back this listener, and not another one of the same emitter.
        """
        given, mine = event[6], self.event[6]
        if self.handler.startswith(UNNAMED):
            # What was made on the spot is equal to nothing that is made later.
            return len(given) < len(mine)
        if not given or self.handler in given:
            return True
        if any(each.startswith(("self.", "^")) for each in given):
            return False
        both = given[0].startswith("~c:") and mine[0].startswith("~c:")
        return not both or given[0] == mine[0]

    def given_back(self, event: Event) -> bool:
        """
        Tell whether an event in the same function takes the listener back, or will.
        """
        if event[0] == LATER:
            return any(map(self.given_back, later((event,))))
        if event[0] != OP:
            return False
        if event[1] == self.emitter and event[2] in self.offs:
            return self.undone_by(event)
        if self.result and event[2] != "let":
            own = event[1] == self.result or event[1].startswith(f"{self.result}.")
            return own or mentions(event, {self.result})
        return mentions(event, {f"{self.emitter}.{off}" for off in self.offs})


def findings(project: Project, settings: Settings | None = None) -> Iterator[Finding]:
    """
    Yield each listener that may outlive the session it serves.
    """
    told = dict(settings.listener_pairs) if settings is not None else {}
    seen: set[int] = set()
    known: set[int] = set()
    for verb in [each for each in project.callers if each in told or removers(each) is not None]:
        for func in project.callers[verb]:
            if func.fact.qualname == MODULE or id(func) in seen or not func.fact.parameters:
                continue
            seen.add(id(func))
            if not is_script(func.module) and _serves(project, func, settings):
                for each in _listeners(project, func, told):
                    for found in _judge(project, each):
                        known.add(id(func))
                        yield found
    yield from _late(func for func in project.functions if id(func) not in known)


def _serves(project: Project, func: Func, settings: Settings | None) -> bool:
    """
    Tell whether *func* runs for one session.
    """
    kind = project.type_of(func)
    if kind is not None and many(project, kind):
        return True
    if SETS_UP.match(func.name):
        return False
    if session_parameters(func, settings) or any(map(ROUTE.search, func.fact.decorators)):
        return is_async(func) or func.name.startswith(("on_", "handle", "_handle"))
    outer = outer_of(func)
    return outer is not None and any(
        each.fact.qualname == outer
        and each.module is func.module
        and _serves(project, each, settings)
        for each in project.named.get(outer.rpartition(".")[2], ())
    )


def _listeners(project: Project, func: Func, told: dict[str, str]) -> Iterator[Listener]:
    block = func.fact.block()
    partials: set[str] = set()
    for tag, _, events in statements(block):
        if any(map(binds, events)):
            partials.update(event[1] for event in events if event[2:3] == ("let",))
        for index, event in enumerate(events):
            if event[0] != OP or not event[6] or tag == WITH:
                continue
            verb = called(event)
            offs = (told[verb],) if verb in told else removers(verb)
            if offs is None or (event[2] == "()" and verb not in told and offs):
                continue
            if tag == RETURN or not _meant(event, verb, told) or _passed_on(events, index, verb):
                continue
            handler = handler_of(event, events[:index], func, partials)
            if handler is None or not (verb in told or outlives(project, func, event[1], verb)):
                continue
            target = target_of(events, index)
            yield Listener(func, block, event, handler, target[0] if target else "", offs)


def _passed_on(events: tuple[Event, ...], index: int, verb: str) -> bool:
    """
    Tell whether the result is an argument of another call in the same statement.
    """
    return any(
        f"{verb}()" in given
        for event in events[index + 1 :]
        if event[0] == OP and event[2] not in {"let", "="}
        for given in event[6]
    )


def _meant(event: Event, verb: str, told: dict[str, str]) -> bool:
    """
    Tell whether a word that means many things registers a listener here.
    """
    if verb not in WEAK or verb in told:
        return True
    if verb == "connect":
        return bool(SIGNAL.search(event[1]))
    return bool(BUS.match(last_name(event[1]))) and len(event[6]) <= 3  # noqa: PLR2004


def _judge(project: Project, on: Listener) -> Iterator[Finding]:
    if on.result and not on.result.startswith("$"):
        return  # Somebody keeps what takes it back.
    said = f"the listener on {shown(on.func, on.emitter)} holds what belongs to the session"
    here = [event for event in every(on.block) if on.given_back(event)]
    exits, ends = _exits(on)
    if here:
        if exits:
            by_event = ends or _by_event(on)
            why = f"{said}, and stays if cancelled at line {exits[0].line}"
            yield _finding(on, "SS004b" if by_event else "SS004", Confidence.MEDIUM, why, exits)
        return
    if not on.result and not _dropped(on):
        return
    elsewhere = _taken_back(project, on)
    if not elsewhere:
        yield _finding(on, "SS004", Confidence.MEDIUM, f"{said}, and nothing takes it back")
    elif all(EVENT.match(each.name) for each in elsewhere):
        names = " or ".join(sorted({f"{each.name}()" for each in elsewhere})[:2])
        sure = exits and not OPENS.match(on.func.name)
        sureness = Confidence.MEDIUM if sure else Confidence.LOW
        yield _finding(on, "SS004b", sureness, f"{said}, and goes only if {names} is called", exits)


def _dropped(on: Listener) -> bool:
    """
    Tell whether the call that registers is a statement of its own.
    """
    line, column = on.event[3:5]
    text = linecache.getline(on.func.module.path, line)[: column - 1]
    return text.strip() in {"", "await"}


def _by_event(on: Listener) -> bool:
    """
    Tell whether the removal is handed to what calls it when something ends.
    """
    return any(event[0] == OP and ENDINGS.match(called(event)) for event in every(on.block))


def _exits(on: Listener) -> tuple[tuple[Exit, ...], bool]:
    """
    Return where a cancellation leaves the listener behind, and whether the normal end does.
    """

    def effect(event: Event) -> Effect:
        if event is on.event or event == on.event:
            return Effect.TAKE
        return Effect.GIVE if on.given_back(event) else Effect.NONE

    final: set[int] = set()
    for statement in all_statements(on.block):
        if statement[0] == TRY:
            for block in (statement[5], *(part for _, _, part in statement[3])):
                final.update(event[3] for event in flattened(block))
    held = [way for way in Ways(effect).of(on.block) if way.held]
    lines = sorted({way.line for way in held if way.kind == "cancelled" and way.line not in final})
    exits = tuple(Exit(line, "cancelled", f"leaks if cancelled at line {line}") for line in lines)
    return exits, any(way.kind == "end" for way in held)


def _taken_back(project: Project, on: Listener) -> list[Func]:
    """
    Return the functions that take a listener back from an emitter of that name.
    """
    found: list[Func] = []
    inner = f"{on.func.fact.qualname}."
    tail = last_name(on.emitter)
    for off in on.offs:
        for func in project.callers.get(off, ()):
            nested = func.module is on.func.module and func.fact.qualname.startswith(inner)
            ours = is_ours(project, func, on.func) or nested
            if not ours and (
                on.event[2] in func.fact.calls
                or func.module is not on.func.module
                or func.fact.cls != on.func.fact.cls
            ):
                continue  # It takes back its own.
            for event in flattened(func.fact.block()):
                given = any(f"{tail}.{off}" in each for each in event[6])
                if given or (
                    event[2] == off and last_name(event[1]) == tail and on.undone_by(event)
                ):
                    found.append(func)
                    break
    return found


def _late(functions: Iterable[Func]) -> Iterator[Finding]:
    """
    Yield each clean-up that is registered only once somebody has connected.
    """
    for func in functions:
        calls = func.fact.calls
        if not is_async(func) or not any(map(ARRIVES.match, calls)):
            continue
        if not any(map(ENDINGS.match, calls)):
            continue
        waited: dict[str, int] = {}
        for _, _, events in statements(func.fact.block()):
            for event in events:
                if event[0] != OP:
                    continue
                endless = not event[6] or event[6] == ("timeout=~c:None",)
                if ARRIVES.match(event[2]) and endless and any(e[0] == "w" for e in events):
                    waited[event[1]] = event[3]
                elif ENDINGS.match(event[2]) and event[1] in waited and event[6]:
                    line = waited[event[1]]
                    said = f"registered only after the await at line {line}, which may never return"
                    exits = (Exit(line, "event", f"leaks if nothing comes at line {line}"),)
                    on = Listener(func, (), event, "", "", ())
                    yield _finding(on, "SS004b", Confidence.MEDIUM, said, exits)


def _finding(
    on: Listener, code: str, sureness: Confidence, said: str, exits: tuple[Exit, ...] = ()
) -> Finding:
    return Finding(
        rule="SS004",
        code=code,
        path=on.func.module.path,
        line=on.event[3],
        column=on.event[4],
        container=shown(on.func, on.emitter),
        severity=Severity.ERROR if code == "SS004" and not exits else Severity.WARNING,
        confidence=sureness,
        message=said,
        exits=exits,
        advice=ADVICE,
    )
