"""What can go wrong, named by the situation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ._reasons import CloseReason
    from ._session import Session


class SessionError(Exception):
    """
    The base of every error that this library raises on its own account.

    A misuse is a builtin error (`ValueError`, `TypeError`, `RuntimeError`) instead.

    .. versionadded:: 0.1
    """


class SessionClosed(SessionError):
    """
    A session was used, or is left, although it has ended.

    Its ``__cause__`` is the crash, if a crash of something that the session owned ended it.

    .. versionadded:: 0.1
    """

    session: Session
    """The handle whose session ended."""
    reason: CloseReason
    """Why it ended."""

    def __init__(self, session: Session, reason: CloseReason) -> None:
        super().__init__(session, reason)
        self.session = session
        self.reason = reason

    def __str__(self) -> str:
        session = self.session
        return (
            f"session {session.id!r} ({_ordinal(session.incarnation)} life) ended "
            f"{session._ended_ago():.3g} s ago: {self.reason}; "
            f"open it again with supervisor.session({session.id!r})"
        )


class SessionNotFound(SessionError, KeyError):
    """
    No live session has this id.

    .. versionadded:: 0.1
    """

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return (
            f"no live session {self.id!r}: it was never opened, or has ended; "
            f"open it with supervisor.session({self.id!r}) or supervisor.open({self.id!r})"
        )


class SupervisorFull(SessionError):
    """
    There is no room for one more session.

    .. versionadded:: 0.1
    """


class SupervisorClosed(SessionError, RuntimeError):
    """
    A session was to be opened, but the supervisor was not entered yet or was left.

    .. versionadded:: 0.1
    """


class GuardFull(SessionError):
    """
    A `ReplayGuard` has no room for one more key, and forgets none whose window is open.

    .. versionadded:: 0.1
    """

    maxsize: int
    """How many keys it may remember."""

    def __init__(self, maxsize: int) -> None:
        super().__init__(maxsize)
        self.maxsize = maxsize

    def __str__(self) -> str:
        return (
            f"all {self.maxsize} keys of this guard are within their windows, and it forgets none "
            f"of them: refuse the request (503), or raise maxsize"
        )


class StaleRequest(SessionError):
    """
    A request was signed too long ago, or in the future.

    .. versionadded:: 0.1
    """

    signed_at: float
    """When it was signed, in seconds since the epoch."""
    now: float
    """What time it was, in seconds since the epoch."""

    def __init__(self, signed_at: float, now: float, allowed: float) -> None:
        super().__init__(signed_at, now, allowed)
        self.signed_at = signed_at
        self.now = now
        self._allowed = allowed

    def __str__(self) -> str:
        age = self.now - self.signed_at
        if age >= 0:
            return (
                f"the request was signed {age:.3f} s ago, and {self._allowed:g} s are allowed: it "
                f"may be a replay, and its sender has to sign it anew"
            )
        advice = "are these milliseconds?" if -age > _YEARS else "is one of the two clocks wrong?"
        return (
            f"the request was signed {-age:.3f} s in the future, and {self._allowed:g} s are "
            f"allowed: {advice}"
        )


_YEARS: Final = 1e9


def _ordinal(number: int) -> str:
    tail = (
        "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{tail}"
