"""What counts as a leak, and how it is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Final

from ._deadlines import grain_of
from ._dependants import Vacating
from ._spans import span
from ._traces import opened_by, owned_from, used_at

if TYPE_CHECKING:
    from ._session import Session

GRACE: Final = 5.0
"""Seconds by which anything may be late."""
UNUSED: Final = 3600.0
"""Seconds that a session without a deadline may go unused."""
CLOSING: Final = 300.0
"""Seconds that a clean-up without a limit may take."""
VARIABLE: Final = "SESSIONSTATE_LEAK_DETECTION"


class LeakDetection(StrEnum):
    """
    How closely a supervisor watches for sessions that should be gone.

    .. versionadded:: 0.1
    """

    DISABLED = "disabled"
    """Not at all."""
    SIMPLE = "simple"
    """Of one session in 128, on average, it is recorded what opened it."""
    ADVANCED = "advanced"
    """Of the same, also the last places that used it."""
    PARANOID = "paranoid"
    """Of every session, and also where each thing that it owns came from. For tests."""


@dataclass(frozen=True, slots=True)
class Leak:
    """
    A session that should be gone, or let go of, at the moment of looking. ``str()`` tells all.

    .. versionadded:: 0.1
    """

    kind: str
    """``endless``, ``overdue``, ``not left``, ``still closing`` or ``late container``."""
    why: str
    """What is wrong, as a sentence."""
    id: str
    """The session's id."""
    incarnation: int
    """Which life this is."""
    age: float
    """Seconds since it was opened."""
    opened: tuple[str, ...]
    """What opened it, as ``file:line in function``, the innermost first."""
    accesses: tuple[str, ...]
    """What used it last, the newest first; empty below `LeakDetection.ADVANCED`."""
    resources: tuple[str, ...]
    """What it owns and keeps; with its origin at `LeakDetection.PARANOID`."""

    def __str__(self) -> str:
        what = f"session {self.id!r} (life {self.incarnation}) is {self.kind}: {self.why}"
        lines = [f"{what}; opened {span(self.age)} ago"]
        lines += [f"  by {each}" for each in self.opened]
        lines += [f"  used at {each}" for each in self.accesses]
        lines += [f"  owns {each}" for each in self.resources]
        return "\n".join(lines)


def level_of(given: LeakDetection | str | None) -> LeakDetection:
    """Validate what was given, or what the environment says if nothing was."""
    name = "leak_detection"
    if given is None:
        given = os.environ.get(VARIABLE, "").strip().lower() or LeakDetection.DISABLED
        name = f"the environment variable {VARIABLE}"
    elif not isinstance(given, str):
        raise TypeError(
            f'leak_detection must be a LeakDetection or its name, such as "simple", not {given!r}'
        )
    try:
        return LeakDetection(given)
    except ValueError:
        *others, last = LeakDetection
        raise ValueError(
            f"{name} must be {', '.join(others)} or {last}, not {given!r}: write 'simple' for "
            f"production"
        ) from None


def orphaned(session: Session, now: float) -> tuple[str, str] | None:
    """Tell whether *session* should be gone by *now*, or let go of: what it is, and why."""
    if session._end is not None:
        return _still_closing(session, now)
    return _late(session, now) or _not_left(session) or _late_container(session, now)


def _still_closing(session: Session, now: float) -> tuple[str, str] | None:
    assert session._end is not None
    reason, when = session._end
    limit = session._supervisor._close_timeout
    if now - when <= (2 * limit if limit < inf else CLOSING):
        return None
    return "still closing", (
        f"it ended {span(now - when)} ago ({reason}), and its clean-up is not over, though "
        f"close_timeout is {f'{limit:g} s' if limit < inf else None}"
    )


def _late(session: Session, now: float) -> tuple[str, str] | None:
    due, unused = session._due(), now - session.last_used
    if now - due > GRACE + grain_of(min(session._limit, session._max_age)):
        return "overdue", f"its deadline passed {span(now - due)} ago, and it is still live"
    if due == inf and not session._holders and unused > UNUSED:
        return "endless", (
            f"it was last used {span(unused)} ago, nobody is inside, and every limit is None"
        )
    return None


def _not_left(session: Session) -> tuple[str, str] | None:
    for holder in session._holders or ():
        if holder.task is not None and holder.task.done():
            return "not left", f"{holder.where} has not left it, and that task is done"
    return None


def _late_container(session: Session, now: float) -> tuple[str, str] | None:
    if session._supervisor._bells.queue.next_tick() >= now - GRACE:
        return None
    for step in session._steps or ():
        if isinstance(step, Vacating) and step.tenancy._chunk is not None:
            late = now - step.tenancy.due
            if late > GRACE:
                return "late container", (
                    f"{step.where} has an entry that was to go {span(late)} ago"
                )
    return None


def leak(session: Session, kind: str, why: str, now: float) -> Leak:
    """Return all that is known of an orphan."""
    return Leak(
        kind=kind,
        why=why,
        id=session.id,
        incarnation=session.incarnation,
        age=now - session.opened_at,
        opened=opened_by(session) or (session.opened_where,),
        accesses=used_at(session),
        resources=owned_from(session),
    )
