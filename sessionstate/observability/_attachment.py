"""What observes a supervisor until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable


class Attachment:
    """
    What `log_events` and its like return; `cancel` ends it.

    It need not be kept: what observes a supervisor ends with it.

    .. versionadded:: 0.1
    """

    __slots__ = ("_ends",)

    def __init__(self, *ends: Callable[[], object]) -> None:
        self._ends = ends

    def cancel(self) -> bool:
        """
        Observe nothing any more.

        Returns:
            True if it was still observing; False if this was cancelled before.
        """
        ends, self._ends = self._ends, ()
        for end in ends:
            end()
        return bool(ends)
