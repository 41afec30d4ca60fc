"""Why an entry left a container."""

from __future__ import annotations

from enum import StrEnum


class EvictionCause(StrEnum):
    """
    Why an entry left its container.

    .. versionadded:: 0.1
    """

    EXPIRED = "expired"
    """It was written longer ago than its *ttl*."""
    IDLE = "idle"
    """It was used longer ago than its *idle*."""
    SIZE = "size"
    """The container was full, and this entry was used least recently."""
    WEIGHT = "weight"
    """The container was too heavy, and this entry was used least recently."""
    REPLACED = "replaced"
    """Another value was written."""
    DELETED = "deleted"
    """It was deleted or popped."""
    CLEARED = "cleared"
    """The container was cleared, or its owner has ended."""

    @property
    def automatic(self) -> bool:
        """
        Whether nobody asked for it.
        """
        return self in _AUTOMATIC


_AUTOMATIC = frozenset(
    {EvictionCause.EXPIRED, EvictionCause.IDLE, EvictionCause.SIZE, EvictionCause.WEIGHT}
)
