"""
Where in a function an event stands: within which tries, loops and tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from sessionstate.audit._events import LATER, OP, Event
from sessionstate.audit._lowering import DO, IF, LOOP, RAISE, RETURN, TRY, WITH, Block

FINALLY: Final = "finally"
EXCEPT: Final = "except"
TEST: Final = "if"
AROUND: Final = "loop"
WITHIN: Final = "with"
DEFERRED: Final = "later"
BODY: Final = "try"

PLAIN: Final = frozenset({DO, RETURN, RAISE})
"""Statements that nothing stands in."""

BRANCHES: Final = frozenset({IF, LOOP})


class Frame(NamedTuple):
    """
    One thing that an event stands in.
    """

    kind: str
    line: int
    text: str = ""
    """The types caught, the names tested, what is gone over, what is entered."""
    detail: Any = ()
    """Of a test its guards with the branch, of a loop whether it is for ever."""


class Seen(NamedTuple):
    """
    An event with the frames around it, the outermost first.
    """

    event: Event
    frames: tuple[Frame, ...]

    def within(self, kind: str) -> Frame | None:
        """
        Return the innermost frame of that kind.
        """
        return next((f for f in reversed(self.frames) if f.kind == kind), None)


def walk(block: Block) -> list[Seen]:
    """
    Return each operation in *block* with what it stands in, in the order of the source.
    """
    found: list[Seen] = []
    _walk(block, (), found)
    return found


def _walk(block: Block, frames: tuple[Frame, ...], found: list[Seen]) -> None:
    for statement in block:
        tag, line = statement[0], statement[1]
        if tag in PLAIN:
            _see(statement[2], frames, found)
        elif tag == IF:
            _, _, events, guards, about, then, otherwise = statement
            _see(events, frames, found)
            if then:
                _walk(then, (*frames, Frame(TEST, line, about, (True, guards))), found)
            if otherwise:
                _walk(otherwise, (*frames, Frame(TEST, line, about, (False, guards))), found)
        elif tag == LOOP:
            _, _, events, forever, over, body, otherwise = statement
            _see(events, frames, found)
            _walk(body, (*frames, Frame(AROUND, line, over, forever)), found)
            _walk(otherwise, frames, found)
        elif tag == TRY:
            _, _, body, handlers, otherwise, final = statement
            tried = (*frames, Frame(BODY, line, "finally" if final else "", final))
            _walk(body, tried, found)
            for types, at, handled in handlers:
                _walk(handled, (*frames, Frame(EXCEPT, at, " ".join(types))), found)
            _walk(otherwise, tried, found)
            _walk(final, (*frames, Frame(FINALLY, line)), found)
        elif tag == WITH:
            _, _, entered, body = statement
            inner = frames
            for text, events in entered:
                _see(events, frames, found)
                inner = (*inner, Frame(WITHIN, line, text))
            _walk(body, inner, found)


def _see(events: Iterable[Event], frames: tuple[Frame, ...], found: list[Seen]) -> None:
    for event in events:
        if event[0] == OP:
            found.append(Seen(event, frames))
        elif event[0] == LATER:
            _see(event[2], (*frames, Frame(DEFERRED, event[1])), found)


def operations(block: Block) -> list[Event]:
    """
    Return each operation in *block* without what it stands in, which takes a third of the time.
    """
    found: list[Event] = []
    waiting: list[Block] = [block]
    while waiting:
        for statement in waiting.pop():
            tag = statement[0]
            if tag == WITH:
                for _, events in statement[2]:
                    found += events
                waiting.append(statement[3])
            elif tag == TRY:
                waiting += (statement[2], *(each[2] for each in statement[3]), *statement[4:])
            elif tag in BRANCHES:
                found += statement[2]
                waiting += statement[5:]
            elif tag in PLAIN:
                found += statement[2]
    later = [each for each in found if each[0] == LATER]
    for each in later:  # it grows
        later += (inner for inner in each[2] if inner[0] == LATER)
        found += each[2]
    return [each for each in found if each[0] == OP]
