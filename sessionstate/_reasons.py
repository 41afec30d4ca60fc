"""The states a session goes through, and the reasons why it ends."""

from __future__ import annotations

from enum import StrEnum


class SessionState(StrEnum):
    """
    Where a session is in its life: ``OPEN <-> IDLE -> CLOSING -> CLOSED``.

    .. versionadded:: 0.1
    """

    OPEN = "open"
    """Held: at least one block is inside."""
    IDLE = "idle"
    """Nobody is inside; a deadline runs, unless every limit is None."""
    CLOSING = "closing"
    """The end is decided: no look-up by id finds it any more, its clean-up runs."""
    CLOSED = "closed"
    """Everything it owned is released."""


class CloseReason(StrEnum):
    """
    Why a session ended. The first reason wins.

    .. versionadded:: 0.1
    """

    COMPLETED = "completed"
    """The last owner left its block normally, or the holder asked for the end."""
    FAILED = "failed"
    """The last owner left its block with an exception, or an `on_open` hook raised one."""
    CANCELLED = "cancelled"
    """The last owner left its block because its task was cancelled."""
    DELETED = "deleted"
    """Somebody asked for the end by id: an event, an administrator."""
    IDLE = "idle"
    """Nobody used it for `idle_timeout` seconds."""
    UNUSED = "unused"
    """It was opened, and no block was entered within `unused_timeout` seconds."""
    EXPIRED = "expired"
    """`max_age` seconds passed since its opening."""
    STALLED = "stalled"
    """It was held for `stall_timeout` seconds without activity."""
    EVICTED = "evicted"
    """It was idle longest when room was needed for another session."""
    SHED = "shed"
    """It was idle longest when memory ran short."""
    PARENT = "parent"
    """The session that it is a child of ended."""
    RESOURCE_FAILED = "resource_failed"
    """A task or context that it owns crashed."""
    SHUTDOWN = "shutdown"
    """Its supervisor was left."""

    @property
    def automatic(self) -> bool:
        """
        Whether the session ended although nobody asked for it.
        """
        return self in _AUTOMATIC


_AUTOMATIC = frozenset(
    {
        CloseReason.IDLE,
        CloseReason.UNUSED,
        CloseReason.EXPIRED,
        CloseReason.STALLED,
        CloseReason.EVICTED,
        CloseReason.SHED,
        CloseReason.RESOURCE_FAILED,
    }
)
