"""
What is recorded of a sampled session: who opened it, who used it, who gave it what it owns.

Records are made once, for all sessions, and taken again and again: what watches for growth must not
grow itself.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Final

from ._sites import OURS, RUN, Site, outside, place_in, site
from ._spans import span
from ._waiting import WAITERS

if TYPE_CHECKING:
    from ._session import Session

FRAMES: Final = 8
"""How many places of the opening stack are kept."""
ACCESSES: Final = 4
"""How many places that used the session are kept."""
NO_CODES: Final = (None,) * FRAMES
TRACE: Final = "trace"  # no map or var has such a key: theirs have a number


class Trace:
    """
    The record of one session, or of none for now.

    It waits for the session's end as the futures do of those who call `Session.wait_closed`: a
    subclass that overrides `_drop` would make each place that meets both classes slower for both.
    """

    __slots__ = (
        "_codes",
        "_depth",
        "_free",
        "_lastis",
        "_taken",
        "accesses",
        "session",
    )

    session: Session | None
    accesses: tuple[tuple[CodeType, int, float], ...]
    """Code, line and time of the last uses; the newest first, and no line twice."""

    def __init__(self, free: list[Trace], taken: dict[Trace, None]) -> None:
        self._codes: list[CodeType | None] = [*NO_CODES]
        self._lastis = [0] * FRAMES
        self._free = free
        self._taken = taken
        self.set_result(None)

    def done(self) -> bool:
        """Tell whether there is no session, or none any more."""
        return self.session is None

    def set_result(self, _: None) -> None:
        """Record nothing any more: the session is closed."""
        self.session = None
        self.accesses = ()
        self._depth = 0
        self._codes[:] = NO_CODES
        self._taken.pop(self, None)
        self._free.append(self)

    def begin(self, session: Session, slots: dict[str, Any]) -> None:
        """Be the record of *session*, which has these slots and none yet."""
        self.session = session
        self._taken[self] = None
        slots[TRACE] = self
        slots[WAITERS] = {self: None}
        session._slots = slots

    def take(self, frame: FrameType | None) -> None:
        """Record what leads to *frame*."""
        while frame is not None and frame.f_code.co_filename.startswith(OURS):
            frame = frame.f_back
        # What is ours further out is left out when somebody reads: to look at each file would be
        # half of what this costs.
        depth, codes, lastis = 0, self._codes, self._lastis
        while frame is not None and depth < FRAMES:
            code = frame.f_code
            if code is RUN:
                break
            codes[depth] = code
            lastis[depth] = frame.f_lasti
            depth += 1
            frame = frame.f_back
        self._depth = depth

    def used(self, frame: FrameType, when: float) -> None:
        """Record a use of the session."""
        found = outside(frame)
        if found is not None:
            # By line: 3.12 has another instruction for a call once it is specialised.
            where = (found.f_code, found.f_lineno)
            others = [each for each in self.accesses if each[:2] != where]
            self.accesses = ((*where, when), *others[: ACCESSES - 1])

    def stack(self) -> tuple[str, ...]:
        """Return the places of the opening, the innermost first."""
        codes, depth = self._codes, self._depth
        sites = zip(codes[:depth], self._lastis, strict=False)
        return tuple(
            place_in(code, lasti)
            for code, lasti in sites
            if code is not None and not code.co_filename.startswith(OURS)
        )

    def uses(self, now: float) -> tuple[str, ...]:
        """Return the places of the last uses, the newest first."""
        return tuple(
            f"{code.co_filename}:{line} in {code.co_qualname}, {span(now - when)} ago"
            for code, line, when in self.accesses
        )


class Placed(dict[Any, Any]):
    """Steps or tasks of a session, each with the place that registered it."""

    __slots__ = ()

    def __setitem__(self, key: object, value: object) -> None:
        super().__setitem__(key, site(sys._getframe(1)))


class PlacedSlots(dict[str, Any]):
    """The slots of a session, and the place that wrote each of them last."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        self.places: dict[str, Site | None] = {}

    def __setitem__(self, key: str, value: object) -> None:
        super().__setitem__(key, value)
        self.places[key] = site(sys._getframe(1))


def trace_of(session: Session) -> Trace | None:
    """Return the record of *session*, if it was sampled and is not closed."""
    trace: Trace | None = session._slots.get(TRACE)
    return trace


def opened_by(session: Session) -> tuple[str, ...]:
    """Return the places that opened *session*, the innermost first; none if it was not sampled."""
    trace = trace_of(session)
    return () if trace is None else trace.stack()


def used_at(session: Session) -> tuple[str, ...]:
    """Return the places that used *session* last, the newest first, as far as is recorded."""
    trace = trace_of(session)
    return () if trace is None else trace.uses(session._clock())


def owned_from(session: Session) -> tuple[str, ...]:
    """Return what *session* owns and keeps, and where each of it came from, if that is recorded."""
    places: dict[Any, Site | None] = {**(session._steps or {}), **(session._tasks or {})}
    places.update(getattr(session._slots, "places", {}))
    found: list[str] = []
    for resource in session.resources():
        where = places.get(resource.handle)
        origin = "" if where is None else f", from {place_in(*where)}"
        found.append(f"{resource.kind} {resource.name}{origin}")
    return tuple(found)
