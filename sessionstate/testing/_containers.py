"""
Containers that nobody owns, and what should have gone from any container.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sessionstate import _last
from sessionstate.containers import _container

PACKAGE: Final = str(Path(_last.__file__).parent) + os.sep
LATE: Final = 0.1  # seconds that an owner may take to let go of what is due


class Alone:
    """The containers that nobody owns, known weakly and by a number: they compare by content."""

    def __init__(self) -> None:
        self.made = 0
        self._refs: dict[int, tuple[Callable[[], Any], str]] = {}

    def note(self, container: object) -> None:
        """Take note of a container that is being made."""
        frame = sys._getframe(1)
        while frame.f_code.co_filename.startswith(PACKAGE) and frame.f_back is not None:
            frame = frame.f_back
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        number = self.made = self.made + 1

        def gone(_: object) -> None:
            self._refs.pop(number, None)

        self._refs[number] = weakref.ref(container, gone), where

    def alive(self) -> list[tuple[Any, str]]:
        """Return them with the places where they were made."""
        return [(ref(), where) for ref, where in list(self._refs.values())]


alone: Final = Alone()
_container.alone = alone.note


def named(container: Any) -> str:
    """Return what kind of container it is."""
    return "ReplayGuard" if hasattr(container, "ticks") else type(container).__name__


def overdue(container: Any, *, owned: bool) -> list[Any]:
    """Return the keys of what should have gone."""
    book = hasattr(container, "ticks")  # of a replay guard
    ticks = container.ticks if book else getattr(container, "_ticks", None)
    if ticks is None:
        return []
    now = ticks._clock()
    # With an owner they go promptly: by the end of their tick, rounded up to that of the queue.
    due = [
        key
        for tick, _, grain, bucket in ticks._heap
        if not owned or tick + 2 * grain + LATE <= now
        for key, entry in list(bucket.items())
        if (entry if book else entry.due) <= now
    ]
    return [*due, *getattr(container, "_ripe", ())]
