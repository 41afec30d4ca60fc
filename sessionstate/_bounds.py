"""
Limits that several sessions share: on a group, on the descendants of one, on what all weigh.

A bound keeps its members in the order of their opening, so that from back to front children come
before their parents, and the idle ones in the order in which they were left, for eviction.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from ._holders import Block
    from ._session import Session

LOOKED_AT: Final = 256  # sessions among which room is sought
ALMOST: Final = 1 + 1e-9  # three tenths are a little more than 0.3


class Wanted(NamedTuple):
    """
    What a call named of a session's ties; None for what it did not.
    """

    parent: Session | None
    group: str | None
    weight: float | None
    max_children: float | None


class Bound:
    """
    Sessions that share a limit on their number, or on the sum of what they weigh.
    """

    __slots__ = ("_idle", "_line", "idle_total", "limit", "members", "option", "total", "what")

    def __init__(self, what: str, option: str, limit: float) -> None:
        self.what = what
        """What is limited, for people."""
        self.option = option
        """The parameter that limits it."""
        self.limit = limit
        self.total = 0.0
        self.idle_total = 0.0
        """What the idle ones add."""
        self.members: dict[Session, float] = {}
        """The live sessions, with what each adds to the total."""
        self._idle: OrderedDict[Session, None] = OrderedDict()
        self._line: OrderedDict[Block, asyncio.Future[bool]] = OrderedDict()

    def add(self, session: Session, amount: float) -> None:
        """Take *session* in, or change what it adds."""
        if session in self._idle and not amount:
            self.held(session)
        more = amount - self.members.get(session, 0.0)
        self.total += more
        self.members[session] = amount
        if session in self._idle:
            self.idle_total += more
        else:
            self.released(session)
        self.tell()

    def remove(self, session: Session) -> None:
        """Let *session* go, which has ended."""
        self.held(session)
        self.total -= self.members.pop(session)
        if not self.members:
            self.total = 0.0  # what many additions of fractions left over
        self.tell()

    def held(self, session: Session) -> None:
        """Take note that somebody holds *session*."""
        if session in self._idle:
            del self._idle[session]
            self.idle_total = self.idle_total - self.members[session] if self._idle else 0.0

    def released(self, session: Session) -> None:
        """Take note that nobody holds *session*, which is a member."""
        if session not in self._idle and self._counts(session):
            self._idle[session] = None
            self.idle_total += self.members[session]

    def _counts(self, session: Session) -> bool:
        """Tell whether the end of *session* would make room where that is wanted."""
        return self.limit < inf and self.members[session] > 0 and not session._holders

    def limit_to(self, limit: float) -> None:
        """Have another limit."""
        if limit != self.limit:
            self.limit = limit
            change = self.released if limit < inf else self.held
            for session in sorted(self.members, key=self._rank):
                change(session)
            self.tell()

    # Room

    def admits(self, amount: float, block: Block) -> bool:
        """Tell whether there is room for so much more, and nobody is before *block* in line."""
        return not self.exceeded_by(amount) and next(iter(self._line), block) is block

    def exceeded_by(self, amount: float) -> bool:
        """Tell whether so much more is too much."""
        return self.total + amount > self.limit * ALMOST

    def overdue(self, now: float) -> Session | None:
        """Return one whose deadline has passed, held or not, among those looked at."""
        looked_at = (islice(self._idle, LOOKED_AT), islice(self.members, LOOKED_AT))
        return next((each for some in looked_at for each in some if each._due() <= now), None)

    def idle_longest(self, spared: Session | None = None) -> Session | None:
        """
        Return who is to make room: who is idle longest, and of several the heaviest.

        Looked for among those that were left longest ago.
        """
        idle = (each for each in self._idle if each is not spared)
        return min(islice(idle, LOOKED_AT), key=self._rank, default=None)

    def idle_first(self, spared: Session | None) -> list[Session]:
        """Return those who are to make room, in that order, among those left longest ago."""
        some = [each for each in islice(self._idle, LOOKED_AT) if each is not spared]
        return sorted(some, key=self._rank)

    def is_idle(self, session: Session) -> bool:
        """Tell whether *session* is live, nobody holds it, and its end would make room."""
        return session in self._idle

    def _rank(self, session: Session) -> tuple[float, float]:
        return session.last_used, -self.members[session]

    @property
    def in_line(self) -> int:
        """
        How many wait for room.
        """
        return len(self._line)

    def queue(self, block: Block) -> asyncio.Future[bool]:
        """Let *block* wait in line, at its old place if it has one."""
        waiter = self._line[block] = block._supervisor._loop.create_future()
        return waiter

    def leave(self, block: Block) -> None:
        """Let *block* wait no longer, and the next in line look again."""
        if self._line.pop(block, None) is not None:
            self.tell()

    def tell(self) -> None:
        """Let the first in line look again."""
        first = next(iter(self._line.values()), None)
        if first is not None and not first.done():
            first.set_result(False)


class Bounds:
    """The bounds of one supervisor, but those of families, which the sessions keep."""

    def __init__(self, max_weight: float, max_per_group: float, max_children: float) -> None:
        self.weight = Bound("weight", "max_weight", max_weight)
        self.groups: dict[str, Bound] = {}
        self.max_children = max_children
        self._max_per_group = max_per_group

    def group(self, name: str) -> Bound:
        """Return the sessions of a group."""
        group = self.groups.get(name)
        if group is None:
            group = self.groups[name] = Bound(
                f"group {name!r}", "max_per_group", self._max_per_group
            )
        return group

    def forget(self, name: str | None) -> None:
        """Drop a group that has neither members nor somebody who waits."""
        if name is not None and name in self.groups:
            group = self.groups[name]
            if not group.members and not group.in_line:
                del self.groups[name]
