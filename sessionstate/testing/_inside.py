"""
What a run may leave inside of its loop: tasks, timers, and descriptors that the loop watches.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from ._places import place
from ._virtual_loop import VirtualLoop
from ._watch import Watch

Task = asyncio.Task[Any]

PATIENCE: Final = 1.0
"""Real seconds without a sign of descriptors, once a scenario is over, that are enough."""


class Inside:
    """
    What there is of a scenario that its setup did not bring; how long it stays can be asked later.
    """

    def __init__(self, loop: VirtualLoop, watch: Watch, before: Inside | None = None) -> None:
        self._loop = loop
        self._tasks = watch.newer() if before is not None else watch.alive()
        self._timers = [each for each in loop._scheduled if not each.cancelled()]
        self._watched = watched(loop)
        if before is not None:
            known = set(map(id, before._timers))
            self._timers = [each for each in self._timers if id(each) not in known]
            for fd in before._watched:
                self._watched.pop(fd, None)

    def left(self) -> list[str]:
        """
        Return a sentence for whatever of it is there still.
        """
        tasks = [task for task in self._tasks if not task.done()]
        left = [f"a task is left: {describe(task)}" for task in tasks]
        if not tasks:
            armed = set(map(id, self._loop._scheduled))
            timers = [t for t in self._timers if id(t) in armed and not t.cancelled()]
            left += [f"timers are left: {', '.join(map(repr, timers))}"] if timers else []
        now = watched(self._loop)
        return left + [
            f"a file descriptor is left that the loop watches: {fd}, for {callback}"
            for fd, callback in self._watched.items()
            if fd in now
        ]


@contextmanager
def silent_peers_left(loop: VirtualLoop) -> Iterator[None]:
    """
    Let time pass over silent peers meanwhile; nothing is to be expected of what is left.
    """
    clock, before = loop.clock, loop.clock.patience
    clock._told.append(math.inf)
    if not (loop._outsiders.jobs or loop.threads):
        clock.patience = min(before, PATIENCE)
    try:
        yield
    finally:
        clock.patience = before
        clock._told.remove(math.inf)


def describe(task: Task) -> str:
    """
    Return what *task* is, and where it waits.
    """
    name = getattr(task.get_coro(), "__qualname__", "?")
    where = place(task)
    return f"{task.get_name()}, {name}" + (f", at {where}" if where else "")


def watched(loop: VirtualLoop) -> dict[int, str]:
    """
    Return what is called if something comes by a descriptor, for each but the loop's own.
    """
    internal: Any = loop
    found: dict[int, str] = {}
    for key in list(internal._selector.get_map().values()):
        if key.fd != internal._ssock.fileno():
            handle: Any = next(each for each in cast("tuple[Any, ...]", key.data) if each)
            found[key.fd] = getattr(handle._callback, "__qualname__", repr(handle._callback))
    return found
