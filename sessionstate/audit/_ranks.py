"""
What a removal rests on, and what a judgement of one says.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from sessionstate.audit._containers import Op
from sessionstate.audit._flow import Way
from sessionstate.audit._project import Func


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
    """It is begun on every way out, but stands behind something that may fail."""
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
    ASKED = 9
    """Only if whoever uses the class asks for it."""
    ON_READ = 10
    """Only when it is read again."""
    DEAD = 11
    """Never: nobody calls it."""
    SHUTDOWN = 12
    """Only when the whole owner ends."""


SUBCODE: Final = {
    Rank.CANCELLED: "SS002b",
    Rank.LATE: "SS002b",
    Rank.STRAIGHT: "SS002b",
    Rank.GUARDED: "SS002c",
    Rank.ONE_EXCEPT: "SS002a",
    Rank.EVENT: "SS002a",
    Rank.COMMAND: "SS002e",
    Rank.ASKED: "SS002e",
    Rank.ON_READ: "SS002g",
    Rank.DEAD: "SS002d",
    Rank.SHUTDOWN: "SS001",
}
"""Of what rests on no more than that. A removal only at shutdown is none for a session."""


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
    """Those on which it is missed."""


def say(
    rank: Rank, why: str, op: Op, func: Func | None = None, ways: Iterable[Way] = ()
) -> Judgement:
    """
    Return the judgement of *op*, which is missed in *func*, or where it stands.
    """
    return Judgement(rank, why, op, func or op.func, tuple(ways))
