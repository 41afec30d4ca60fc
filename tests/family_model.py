"""
Families, groups and weights as a small pure model, and what may be observed of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate import Session

IDLE = 30.0
LATE = IDLE / 256 + 0.01


@dataclass(frozen=True)
class Limits:
    """
    What the supervisor was given.
    """

    max_sessions: int = 5
    max_per_group: int | None = None
    max_children: int | None = None
    max_weight: float | None = None
    when_full: str = "evict"


@dataclass(eq=False)
class Member:
    """
    One life, as the rules see it.
    """

    session: Session
    parent: Member | None
    group: str | None
    weight: float
    blocks: list[str] = field(default_factory=list)
    """Who is inside itself: owners and visitors."""
    timers: dict[int, float] = field(default_factory=dict)
    """When each is due that did not ring."""

    @property
    def last_used(self) -> float:
        """
        Return when the session says that it was last used.
        """
        return self.session.last_used

    @property
    def ancestors(self) -> list[Member]:
        """
        Return the parent, its parent, and so on.
        """
        return [] if self.parent is None else [self.parent, *self.parent.ancestors]


@dataclass(frozen=True)
class Asked:
    """
    What one call for a session named.
    """

    id: str
    parent: Member | None = None
    group: str | None = None
    weight: float | None = None


class Family:
    """
    All live sessions of one supervisor.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.live: dict[str, Member] = {}

    def children(self, member: Member) -> list[Member]:
        """
        Return the live children.
        """
        return [each for each in self.live.values() if each.parent is member]

    def held(self, member: Member) -> bool:
        """
        Whether somebody is inside, or inside a child.
        """
        return bool(member.blocks) or any(self.held(each) for each in self.children(member))

    def busy(self, member: Member) -> list[Member]:
        """
        Return those that are held because *member* is: itself and its ancestors.
        """
        return [member, *member.ancestors]

    # Limits

    def bounds(self, asked: Asked) -> list[tuple[float, list[Member], Callable[[Member], float]]]:
        """
        Return each limit that a new session must fit in: the limit, its members, what each adds.
        """
        limits, live = self.limits, list(self.live.values())
        found = [(float(limits.max_sessions), live, _one)]
        if asked.weight:
            found.append((limits.max_weight or inf, live, _weight))
        if asked.group is not None:
            same = [each for each in live if each.group == asked.group]
            found.append((limits.max_per_group or inf, same, _one))
        for above in self.busy(asked.parent) if asked.parent is not None else ():
            below = [each for each in live if above in each.ancestors]
            found.append((limits.max_children or inf, below, _one))
        return found

    def exceeded(self, asked: Asked, members: Callable[[Member], bool]) -> bool:
        """
        Tell whether a new session is too much beside those for which *members* is true.
        """
        for limit, inside, amount in self.bounds(asked):
            more = asked.weight or 0 if amount is _weight else 1
            if sum(amount(each) for each in inside if members(each)) + more > limit * 1.000001:
                return True
        return False

    def may_refuse(self, asked: Asked) -> bool:
        """
        Whether `SupervisorFull` is right.
        """
        if self.limits.when_full != "evict":
            return self.exceeded(asked, lambda _: True)
        pinned = self.busy(asked.parent) if asked.parent is not None else []
        return self.exceeded(asked, lambda each: self.held(each) or each in pinned)

    def check_evicted(self, evicted: list[Member], asked: Asked) -> None:
        """
        Check that room had to be made, by who was idle longest among those who could make it.
        """
        assert self.limits.when_full == "evict"
        before = [*self.live.values(), *evicted]
        for each in evicted:
            assert not each.blocks, f"{each} was evicted, but is held"
            assert asked.parent is None or each not in self.busy(asked.parent)
            fair = False
            for _, inside, amount in [*self.bounds(asked), (0, before, _weight)]:
                names = {id(member) for member in inside}
                mine = amount(each) > 0 and self._belongs(each, inside, asked, names)
                idle = [one for one in inside if amount(one) and not self.held(one)]
                idle = [one for one in idle if one.session.id != asked.id and one not in evicted]
                fair |= mine and all(each.last_used <= one.last_used for one in idle)
            assert fair, f"{each} was evicted, but others are idle longer: {before}"

    def _belongs(self, member: Member, inside: list[Member], asked: Asked, names: set[int]) -> bool:
        """
        Tell whether *member*, which is gone, was one of *inside*.
        """
        if id(member) in names or len(inside) == len(self.live):
            return True
        same_group = asked.group is not None and member.group == asked.group
        return same_group or any(
            above in member.ancestors for above in (self.busy(asked.parent) if asked.parent else ())
        )


def _one(_: Member) -> float:
    return 1.0


def _weight(member: Member) -> float:
    return member.weight
