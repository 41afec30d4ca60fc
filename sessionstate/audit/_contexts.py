"""
Where in a function an event stands: within which tries, loops and tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


def walk(block: Block, frames: tuple[Frame, ...] = ()) -> Iterator[Seen]:
    """
    Yield each operation in *block* with what it stands in, in the order of the source.
    """
    for statement in block:
        tag, line = statement[0], statement[1]
        if tag in PLAIN:
            yield from _seen(statement[2], frames)
        elif tag == IF:
            _, _, events, guards, about, then, otherwise = statement
            yield from _seen(events, frames)
            yield from walk(then, (*frames, Frame(TEST, line, about, (True, guards))))
            yield from walk(otherwise, (*frames, Frame(TEST, line, about, (False, guards))))
        elif tag == LOOP:
            _, _, events, forever, over, body, otherwise = statement
            inner = (*frames, Frame(AROUND, line, over, forever))
            yield from _seen(events, frames)
            yield from walk(body, inner)
            yield from walk(otherwise, frames)
        elif tag == TRY:
            _, _, body, handlers, otherwise, final = statement
            tried = (*frames, Frame(BODY, line, "finally" if final else "", final))
            yield from walk(body, tried)
            for types, at, handled in handlers:
                yield from walk(handled, (*frames, Frame(EXCEPT, at, " ".join(types))))
            yield from walk(otherwise, tried)
            yield from walk(final, (*frames, Frame(FINALLY, line)))
        elif tag == WITH:
            _, _, entered, body = statement
            inner = frames
            for text, events in entered:
                yield from _seen(events, frames)
                inner = (*inner, Frame(WITHIN, line, text))
            yield from walk(body, inner)


def _seen(events: Iterable[Event], frames: tuple[Frame, ...]) -> Iterator[Seen]:
    for event in events:
        if event[0] == OP:
            yield Seen(event, frames)
        elif event[0] == LATER:
            yield from _seen(event[2], (*frames, Frame(DEFERRED, event[1])))
