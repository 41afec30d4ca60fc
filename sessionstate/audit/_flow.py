"""
The ways out of a function, and which of them miss a removal.

The question is always the same: something was *taken* (an entry written, a listener registered, a
process started); on which ways out was it not *given back*? A function is walked once, along its
blocks, with one bit of state: something may be held. Loops are walked until the bit is stable.

Whatever is called may raise, and whatever is awaited may be cancelled. A call that does not fail in
practice is told apart by its name; the way out past any other that is not awaited is *weak*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any, Final, NamedTuple

from sessionstate.audit._events import AWAIT, OP, YIELD, Event
from sessionstate.audit._lowering import (
    BREAK,
    CALLED,
    CONTINUE,
    DO,
    IF,
    LOOP,
    RAISE,
    RETURN,
    TRY,
    WITH,
    Block,
    Statement,
)
from sessionstate.audit._vocabulary import SAFE_CALL

EVERYTHING: Final = frozenset({"BaseException"})
CANCELLED: Final = frozenset({"CancelledError", "get_cancelled_exc_class", "Cancelled"})
LENGTH: Final = 8
"""Of an operation: a tuple that begins as one may be something else."""

SUPPRESSES: Final = ("suppress()", "contextlib.suppress()")


class Effect(Enum):
    """
    What an event does to what is watched.
    """

    NONE = 0
    TAKE = 1
    GIVE = 2


class Way(NamedTuple):
    """
    One way out of a block.
    """

    kind: str
    """``exception``, ``cancelled``, ``raise``, ``return``, ``end``, ``break`` or ``continue``."""
    line: int
    held: bool
    weak: bool = False
    type: str = ""
    """The name of what is raised, where that is written there."""


class Ways:
    """
    Walks one function.

    Args:
        effect: Tells what an event does.
        guarded: Tells of a path whether a test of it asks for the thing that is watched.
        raises: Tells of a call whether it is known to raise.
        asks: Tells of the names in a test whether they are those of the key alone.
    """

    def __init__(
        self,
        effect: Callable[[Event], Effect],
        guarded: Callable[[str], bool] = lambda _: False,
        raises: Callable[[Event], bool] = lambda _: False,
        asks: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._effect = effect
        self._raises = raises
        self._asks = asks
        self._guarded = guarded
        self._found: dict[Way, None] = {}
        self.taken = False
        self.given = False

    def of(self, block: Block, *, held: bool = False) -> tuple[Way, ...]:
        """
        Return each way out of *block*, the way past its end included.
        """
        self._found = {}
        out = self._block(block, held)
        if out is not None:
            self._note(Way("end", _last_line(block), out))
        return tuple(self._found)

    def _note(self, way: Way) -> None:
        self._found[way] = None

    def _inside(self, block: Block, held: bool) -> tuple[bool | None, tuple[Way, ...]]:
        """
        Walk *block*, and return how it ends with its ways out, which are not noted yet.
        """
        kept, self._found = self._found, {}
        out = self._block(block, held)
        ways, self._found = tuple(self._found), kept
        return out, ways

    def _events(self, events: Iterable[Event], held: bool) -> bool:
        taken_here = False
        for event in events:
            effect = self._effect(event)
            if effect is Effect.TAKE:
                self.taken = held = taken_here = True
            elif effect is Effect.GIVE:
                self.given = True
                held = taken_here = False
            elif event[0] == AWAIT:
                # The await of the call that took it: what it took is its own to give back.
                if not taken_here:
                    self._note(Way("cancelled", event[1], held))
                    self._note(Way("exception", event[1], held))
                taken_here = False
            elif event[0] == YIELD:
                # Whoever goes over it may stop; a context manager is thrown its body's error.
                self._note(Way("exception", event[1], held))
            elif event[0] == OP and self._raises(event):
                self._note(Way("exception", event[3], held))
            elif event[0] == OP and event[2] not in SAFE_CALL and _called(event) not in SAFE_CALL:
                self._note(Way("exception", event[3], held, weak=True))
        return held

    def _block(self, block: Block, held: bool) -> bool | None:
        state: bool | None = held
        for statement in block:
            if state is None:
                return None
            state = WALKS[statement[0]](self, statement, state)
        return state

    def _do(self, statement: Statement, held: bool) -> bool | None:
        return self._events(statement[2], held)

    def _return(self, statement: Statement, held: bool) -> None:
        self._note(Way("return", statement[1], self._events(statement[2], held)))

    def _raise(self, statement: Statement, held: bool) -> None:
        held = self._events(statement[2], held)
        self._note(Way("raise", statement[1], held, type=statement[3]))

    def _break(self, statement: Statement, held: bool) -> None:
        self._note(Way("break", statement[1], held))

    def _continue(self, statement: Statement, held: bool) -> None:
        self._note(Way("continue", statement[1], held))

    def _if(self, statement: Statement, held: bool) -> bool | None:
        _, _, events, guards, about, then, otherwise = statement
        before, held = held, self._events(events, held)
        answers = [present for present, path in guards if path == CALLED]
        asked = [(present, path) for present, path in guards if self._guarded(path)]
        absent = {present for present, path in asked if not path.endswith(".*")}
        # Where the container has no such entry, nothing is held.
        taken, self.taken = self.taken, False
        refused = held and not before and bool(answers)  # `if not guard.claim(key): return`
        one = self._block(then, held and False not in absent and not (refused and not answers[0]))
        refused = refused and answers[0]
        other = self._block(otherwise, held and True not in absent and not refused)
        counted, self.taken = self.taken, self.taken or taken
        entry = counted or any(path.endswith(".*") for _, path in guards) or self._asks(about)
        if held and False in {one, other} and entry:
            return False  # whether there is an entry, whether it is the one, or is still needed
        return _either(one, other)

    def _loop(self, statement: Statement, held: bool) -> bool | None:
        _, _, events, forever, _, body, otherwise = statement
        state = held
        while True:
            out, ways = self._inside(body, self._events(events, state))
            again = _either(out, *(way.held for way in ways if way.kind == "continue"))
            if state or not again:
                break
            state = True
        left: bool | None = None
        for way in ways:
            if way.kind == "break":
                left = _either(left, way.held)
            elif way.kind != "continue":
                self._note(way)
        if forever:
            return left
        done = bool(_either(state, again, self._events(events, state)))
        return _either(self._block(otherwise, done), left)

    def _try(self, statement: Statement, held: bool) -> bool | None:
        _, _, body, handlers, otherwise, final = statement
        if final:
            return self._finally(statement, held)
        out, ways = self._inside(body, held)
        left = list(ways)
        if out is not None and otherwise:
            out = self._block(otherwise, out)
        for types, _, block in handlers:
            caught = [way for way in left if _catches(types, way)]
            if caught:
                out = _either(out, self._block(block, any(way.held for way in caught)))
                left = [way for way in left if way not in caught or not _all_of(types, way)]
        for way in left:
            self._note(way)
        return out

    def _finally(self, statement: Statement, held: bool) -> bool | None:
        *tried, final = statement
        out, ways = self._inside(((*tried, ()),), held)
        starts = {way.held for way in ways}
        if out is not None:
            starts.add(out)
        after = {start: self._block(final, start) for start in starts}
        for way in ways:
            end = after[way.held]
            if end is not None:
                self._note(way._replace(held=end))
        return after[out] if out is not None else None

    def _with(self, statement: Statement, held: bool) -> bool | None:
        _, _, entered, body = statement
        exits = False
        caught: tuple[str, ...] = ()
        for text, events in entered:
            before = self.taken
            held = self._events(events, held)
            # What a context manager took it gives back when it is left: it is made for that.
            exits = exits or (self.taken and not before)
            name, _, types = text.partition(" ")
            if name in SUPPRESSES:
                caught += tuple(each.rpartition(".")[2] for each in types.split())
        out, ways = self._inside(body, held)
        for way in ways:
            if caught and _catches(caught, way):
                out = _either(out, way.held)
                if _all_of(caught, way):
                    continue
            self._note(way._replace(held=False) if exits else way)
        return False if exits and out is not None else out


WALKS: Final[dict[str, Callable[[Ways, Any, bool], bool | None]]] = {
    DO: Ways._do,
    IF: Ways._if,
    LOOP: Ways._loop,
    TRY: Ways._try,
    WITH: Ways._with,
    RETURN: Ways._return,
    RAISE: Ways._raise,
    BREAK: Ways._break,
    CONTINUE: Ways._continue,
}


def _either(*states: bool | None) -> bool | None:
    """
    Return what may be held where several ways meet; None is a way that does not come.
    """
    known = [state for state in states if state is not None]
    return any(known) if known else None


def _catches(types: tuple[str, ...], way: Way) -> bool:
    """
    Tell whether an ``except`` of *types* may catch what leaves by *way*.
    """
    if way.kind not in {"exception", "cancelled", "raise"}:
        return False
    if not types or EVERYTHING.intersection(types):
        return True
    if way.kind == "cancelled" or way.type in CANCELLED:
        return bool(CANCELLED.intersection(types))
    if way.kind == "raise" and way.type:
        return way.type in types or "Exception" in types or way.type not in KNOWN
    return not CANCELLED.issuperset(types)


WAITS: Final = frozenset({"wait_for", "shield", "wait"})
"""What awaits its argument."""

KNOWN: Final = frozenset(
    {
        *("ValueError", "TypeError", "KeyError", "RuntimeError", "HTTPException", "OSError"),
        *("NotImplementedError", "StopIteration", "AssertionError", "AttributeError"),
    }
)


def _all_of(types: tuple[str, ...], way: Way) -> bool:
    """
    Tell whether an ``except`` of *types* catches each thing that leaves by *way*.
    """
    if not types or EVERYTHING.intersection(types):
        return True
    if way.kind == "cancelled" or way.type in CANCELLED:
        return True  # it was caught at all
    return "Exception" in types or (way.kind == "raise" and way.type in types)


def _called(event: Event) -> str:
    """
    Return the name of what an event calls.
    """
    return event[1].rpartition(".")[2].lstrip("@") if event[2] == "()" else str(event[2])


def _last_line(block: Block) -> int:
    """
    Return the last line of *block* that is known.
    """
    last = 0
    for statement in block:
        last = max(last, statement[1])
        for i in BLOCKS.get(statement[0], ()):
            last = max(last, _last_line(statement[i]))
    return last


BLOCKS: Final = {IF: (5, 6), LOOP: (5, 6), TRY: (2, 4, 5), WITH: (3,)}
"""Where in a statement its blocks are, but for those of handlers."""


def flattened(block: Iterable[Event]) -> Iterator[Event]:
    """
    Yield each event in *block*, in the order of the source, those of lambdas too.
    """
    for item in block:
        if type(item) is not tuple or not item:
            continue  # a line or a name
        if item[0] == OP and len(item) == LENGTH:
            yield item
        else:
            yield from flattened(item)


def awaits(block: Iterable[Event]) -> Iterator[Event]:
    """
    Yield each await in *block*, with what is awaited, itself or as an argument of what is called.
    """
    before: Event = ()
    for item in block:
        if type(item) is not tuple or not item:
            continue  # a line or a name
        if item[0] == AWAIT:
            named = filter(None, item[2:])
            yield (AWAIT, item[1], *named, *(before[6] if before and before[2] in WAITS else ()))
        elif item[0] == OP and len(item) == LENGTH:
            before = item
        else:
            yield from awaits(item)
