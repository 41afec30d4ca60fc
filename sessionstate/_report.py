"""What people read: one line for a session or a supervisor, one text for all."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from ._reasons import CloseReason
from ._traces import opened_by, used_at

if TYPE_CHECKING:
    from ._registry import Registry
    from ._session import Session


def describe_session(session: Session) -> str:
    """Return one line such as ``<Session 'chat-42' open, 3 resources, idle in 1742 s>``."""
    parts = [f"{session.id!r} {session.state}"]
    if session._end is not None:
        parts[0] += f" ({session._end[0]})"
    owned = len(session._steps or ()) + len(session._tasks or ())
    if owned:
        parts.append(_plural(owned, "resource"))
    outlook = _outlook(session)
    if outlook:
        parts.append(outlook)
    return f"<Session {', '.join(parts)}>"


def describe_supervisor(supervisor: Registry) -> str:
    """Return one line such as ``<Supervisor 'sessionstate' running, 12 sessions, 1 closing>``."""
    state = "running" if supervisor._running else "left" if supervisor._entered else "not entered"
    parts = [f"{supervisor.name!r} {state}", _plural(len(supervisor._live), "session")]
    if supervisor._closing:
        parts.append(f"{len(supervisor._closing)} closing")
    return f"<Supervisor {', '.join(parts)}>"


def dump(supervisor: Registry) -> str:
    """Return one text that tells for each session why it is still there."""
    lines = [describe_supervisor(supervisor)]
    for session in [*supervisor._live.values(), *supervisor._closing.values()]:
        lines.append(f"  {describe_session(session)}")
        age = session._clock() - session.opened_at
        lines.append(
            f"    opened {age:.3g} s ago at {session.opened_where} (life {session.incarnation})"
        )
        lines += [f"      by {each}" for each in opened_by(session)]
        lines += [f"    used at {each}" for each in used_at(session)]
        ties = _ties(session)
        if ties:
            lines.append(f"    {ties}")
        lines += [f"    held by {holder.where}" for holder in session._holders or ()]
        if session._end is not None:
            lines.append(
                f"    ended {session._ended_ago():.3g} s ago ({session._end[0]}), and cleans up"
            )
        elif session.deadline is None:
            lines.append(
                "    has no deadline" + ("" if session._holders else ": every limit is None")
            )
        lines += [f"    owns {owned.where}" for owned in session._tasks or ()]
        lines += [f"    owns {step.where}" for step in session._steps or ()]
        names = [key.partition("\x00")[0] for key in session._slots if "\x00" in key]
        if names:
            lines.append(f"    keeps {', '.join(names)}")
    return "\n".join(lines)


def _ties(session: Session) -> str:
    """Say what ties it to others."""
    parts: list[str] = []
    if session.parent is not None:
        parts.append(f"child of {session.parent.id!r}")
    if session.group is not None:
        parts.append(f"in group {session.group!r}")
    if session.weight:
        parts.append(f"weighs {session.weight:g}")
    return ", ".join(parts)


def _outlook(session: Session) -> str | None:
    """Say what will end the session, and when."""
    due = session._due()
    if session._end is not None or due == inf:
        return None
    reason, _ = session._due_reason()
    word = {
        CloseReason.IDLE: "idle",
        CloseReason.UNUSED: "unused",
        CloseReason.EXPIRED: "expires",
        CloseReason.STALLED: "stalled",
    }.get(reason, "lingers")
    left = f"{max(0.0, due - session._clock()):.0f} s"
    return f"{word} for {left}" if word == "lingers" else f"{word} in {left}"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
