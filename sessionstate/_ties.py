"""
What ties a session to others: its parent and children, its group, its weight.

A session without ties pays one attribute for all of this. A held session is a holder of its parent,
and so on up to the root; children end before their parent does.
"""

from __future__ import annotations

import sys
from math import isfinite
from typing import TYPE_CHECKING, cast

from ._bounds import Bound, Wanted
from ._clock import LARGEST, UNSET, Seconds, Unset
from ._dependants import Dependants
from ._holds import ChildHold, Holder

if TYPE_CHECKING:
    from ._holders import Block
    from ._session import Session
    from ._supervisor import Supervisor


class Ties:
    """What ties one live session to others."""

    __slots__ = ("_hold", "bounds", "children", "family", "group", "parent")

    def __init__(self, parent: Session | None = None, group: str | None = None) -> None:
        self.parent = parent
        self.group = group
        self.children: dict[Session, None] = {}
        """Child sessions that are not closed."""
        self.family: Bound | None = None
        """Live descendants."""
        self.bounds: list[Bound] = []
        """What it belongs to."""
        self._hold: ChildHold | None = None

    def join(self, session: Session, bound: Bound, amount: float) -> None:
        """Belong to *bound*, and add so much there."""
        new = session not in bound.members
        bound.add(session, amount)
        if new:
            self.bounds.append(bound)

    def held(self, session: Session) -> None:
        """Take note that somebody holds the session now: then it holds its parent."""
        hold = self.hold_parent(session)
        if hold is not None and self.parent is not None:
            self.parent._hold(hold)

    def hold_parent(self, session: Session) -> ChildHold | None:
        """Take note that the session is held, and return its hold on the parent, if it has one."""
        for bound in self.bounds:
            bound.held(session)
        if self.parent is not None:
            self._hold = ChildHold(session.id)
        return self._hold

    def released(self, session: Session) -> None:
        """Take note that nobody holds the session any more."""
        hold = self.release_parent(session)
        if hold is not None and self.parent is not None:
            self.parent._unhold(hold)

    def release_parent(self, session: Session) -> ChildHold | None:
        """Take note that nobody holds the session, and return the hold that the parent loses."""
        if session._end is None:
            for bound in self.bounds:
                bound.released(session)
        hold, self._hold = self._hold, None
        return hold

    def ended(self, session: Session) -> None:
        """Leave every bound: the end is decided."""
        for bound in self.bounds:
            bound.remove(session)
        self.bounds.clear()
        session._supervisor._bounds.forget(self.group)

    def closed(self, session: Session) -> None:
        """Leave the parent, which may wait for this."""
        parent, self.parent = self.parent, None
        hold, self._hold = self._hold, None
        if parent is not None and hold is not None:
            parent._unhold(hold)
        if parent is not None and parent._ties is not None:
            children = parent._ties.children
            del children[session]
            if parent._ending is not None and not children:
                parent._ending.children_closed(parent)

    def latest_use(self, session: Session) -> float:
        """Return when the session, or a descendant that is held, was last used."""
        latest = session.last_used
        for each in self.family.members if self.family is not None else ():
            if each._holders and each.last_used > latest:
                latest = each.last_used
        return latest


class Tied(Dependants):
    """The part of `Session` that knows of other sessions."""

    __slots__ = ("_holders", "_ties", "last_used")

    last_used: float
    """When it was last used, in seconds of the supervisor's clock."""
    _holders: dict[Holder, None] | None
    _ties: Ties | None

    if TYPE_CHECKING:

        def _leave_queue(self) -> None: ...
        def _go_idle(self) -> None: ...
        def _go_open(self) -> None: ...

    @property
    def parent(self) -> Session | None:
        """
        The session that this one is a child of; None for none, and once it is closed.
        """
        return None if self._ties is None else self._ties.parent

    @property
    def children(self) -> tuple[Session, ...]:
        """
        The child sessions that are not closed, oldest first.
        """
        return () if self._ties is None else tuple(self._ties.children)

    @property
    def group(self) -> str | None:
        """
        What it was opened with as *group*; None for nothing, and once it is closed.
        """
        return None if self._ties is None else self._ties.group

    @property
    def weight(self) -> float:
        """
        What it counts towards `max_weight`, in whatever unit that is; 0 once it has ended.

        It may be set while the session is live. If all together are then too heavy, and the
        supervisor evicts when it is full, idle sessions are evicted at once, longest idle first,
        and of several that are idle equally long the heaviest; a held one never is.

        Raises:
            SessionClosed: If it is set and the session has ended.
            ValueError: If it is set to what is no finite number from 0.
        """
        return self._supervisor._bounds.weight.members.get(cast("Session", self), 0.0)

    @weight.setter
    def weight(self, weight: float) -> None:
        number = weight_of(weight)
        self._check_open()
        weigh(cast("Session", self), number)
        self._supervisor._admission.lighten()

    def child(
        self,
        id: str | None = None,
        *,
        linger: Seconds | Unset = UNSET,
        max_age: Seconds | Unset | None = UNSET,
        stall_timeout: Seconds | Unset | None = UNSET,
        group: str | None = None,
        weight: float | None = None,
        max_children: int | Unset | None = UNSET,
    ) -> Block:
        """
        Return a block that is a session of its own, which ends before this one does.

        Same as `Supervisor.session` with this session as *parent*.
        """
        block = self._supervisor.session(
            id,
            linger=linger,
            max_age=max_age,
            stall_timeout=stall_timeout,
            parent=cast("Session", self),
            group=group,
            weight=weight,
            max_children=max_children,
        )
        return block.opened_at(sys._getframe(1))

    def _hold(self, hold: ChildHold) -> None:
        """Let a child hold this session, as a block does."""
        now = self._supervisor._clock()
        session: Session | None = cast("Session", self)
        up: ChildHold | None = hold
        while session is not None and up is not None:  # no recursion: a family may be deep
            session.last_used = now
            if session._holders:
                session._holders[up] = None
                return
            session._holders = {up: None}
            session._entered = True
            session._leave_queue()
            session._go_open()
            ties = session._ties
            up = None if ties is None else ties.hold_parent(session)
            session = session.parent

    def _unhold(self, hold: Holder) -> None:
        """Let a child, or a block that is left, hold this session no longer."""
        session: Session | None = cast("Session", self)
        up: Holder | None = hold
        while session is not None and up is not None:
            holders = session._holders
            if holders is None or up not in holders:
                return
            del holders[up]
            if session._end is None:
                session.last_used = session._clock()
            if holders:
                return
            session._holders = None
            ties, parent = session._ties, session.parent
            up = None if ties is None else ties.release_parent(session)
            if session._end is None:
                session._go_idle()
            session = parent


def weight_of(weight: object, name: str = "weight") -> float:
    """Refuse what is no weight."""
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise TypeError(f"{name} must be a number, such as bytes, not {weight!r}")
    if (
        abs(weight) > LARGEST
        or not isfinite(weight)
        or weight < 0
        or (name != "weight" and weight == 0)
    ):
        least = "from 0" if name == "weight" else "above 0, or None for no limit"
        raise ValueError(f"{name} must be a finite number {least}, not {weight}")
    return float(weight)


def check_group(group: object) -> None:
    """Refuse what names no group."""
    if not isinstance(group, str) or not group:
        raise TypeError(f"group must be a non-empty str, such as a user's id, not {group!r}")


def belongs_to(supervisor: Supervisor, wanted: Wanted) -> list[tuple[Bound, float]]:
    """Return the bounds of a session with these ties, with what it adds to each."""
    bounds = supervisor._bounds
    found: list[tuple[Bound, float]] = []
    if wanted.weight:
        found.append((bounds.weight, wanted.weight))
    if wanted.group is not None:
        found.append((bounds.group(wanted.group), 1.0))
    ancestor = wanted.parent
    while ancestor is not None:
        found.append((family(ancestor), 1.0))
        ancestor = ancestor.parent
    return found


def family(session: Session) -> Bound:
    """Return the live descendants of *session*."""
    ties = _ties(session)
    if ties.family is None:
        ties.family = Bound(
            f"family of session {session.id!r}",
            "max_children",
            session._supervisor._bounds.max_children,
        )
    return ties.family


def tie(session: Session, wanted: Wanted) -> None:
    """Give a new session its ties."""
    ties = session._ties = Ties(wanted.parent, wanted.group)
    if wanted.parent is not None:
        _ties(wanted.parent).children[session] = None
    if wanted.max_children is not None:
        family(session).limit_to(wanted.max_children)
    for bound, amount in belongs_to(session._supervisor, wanted):
        ties.join(session, bound, amount)


def weigh(session: Session, weight: float) -> None:
    """Change what a live session weighs."""
    _ties(session).join(session, session._supervisor._bounds.weight, weight)


def retie(session: Session, wanted: Wanted) -> None:
    """Let a later call change what may change, and refuse what may not."""
    if wanted.parent is not None and session.parent is not wanted.parent:
        other = session.parent
        present = "has no parent" if other is None else f"is a child of {other.id!r}"
        raise ValueError(
            f"session {session.id!r} is live and {present}, so it cannot become one of "
            f"{wanted.parent.id!r}: ids are one namespace, use another id for the child"
        )
    if wanted.group is not None and session.group != wanted.group:
        raise ValueError(
            f"session {session.id!r} was opened with group={session.group!r}, which cannot become "
            f"{wanted.group!r}: leave group out, or repeat what it was opened with"
        )
    if wanted.max_children is not None:
        family(session).limit_to(wanted.max_children)
    if wanted.weight is not None:
        weigh(session, wanted.weight)
        session._supervisor._admission.lighten(session)


def _ties(session: Session) -> Ties:
    if session._ties is None:
        session._ties = Ties()
    return session._ties
