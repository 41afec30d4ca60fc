"""Names that become labels: a bounded number of them, however many maps a program makes."""

from __future__ import annotations

from typing import Final

OTHER: Final = "other"
"""What names beyond the limit are counted as."""


class Names:
    """
    The names that have a series of their own: those that came first, which stay.

    A name that changed places with another one would be two series with gaps.
    """

    def __init__(self, limit: int) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise TypeError(f"max_names must be a whole number of names, not {limit!r}")
        if limit < 1:
            raise ValueError(f"max_names must be at least 1 name, not {limit}")
        self._limit = limit
        self._known: dict[str, None] = {}

    def of(self, name: str) -> str:
        """Return what *name* is counted as."""
        if name not in self._known:
            if len(self._known) >= self._limit:
                return OTHER
            self._known[name] = None
        return name
