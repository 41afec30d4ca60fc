"""
What a process has at a moment at which nothing should be left of any session.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tracemalloc
from typing import TYPE_CHECKING, Final, NamedTuple

import psutil

from sessionstate._process_groups import trees

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionstate import Supervisor
    from sessionstate.testing import VirtualLoop

NOT_LEFT: Final = ("rss", "traced", "objects", "sessions")
"""The gauges that are no count of what is left."""


class Reading(NamedTuple):
    """
    One look at all gauges.
    """

    sessions: float
    """Sessions that have come and gone until then."""
    rss: float
    """Resident memory in bytes."""
    traced: float
    """Bytes that tracemalloc knows of; 0 where it does not run."""
    objects: float
    """Objects that the garbage collector knows."""
    live: float
    closing: float
    queued: float
    """Entries in the deadline queues, and in those of timers."""
    waiting: float
    groups: float
    weight: float
    abandoned: float
    """Tasks that did not end, and are kept."""
    listeners: float
    tasks: float
    timers: float
    """Timers armed in the loop."""
    fds: float
    """File descriptors, beyond those at the start."""
    children: float
    """Child processes."""

    def left(self) -> dict[str, float]:
        """
        Return what is left of any session, by name: nothing, as it should be.
        """
        counts = self._asdict().items()
        return {name: count for name, count in counts if name not in NOT_LEFT and count}


class Gauges:
    """
    What is looked at, and what there was before the first session.
    """

    def __init__(self, loop: VirtualLoop, supervisors: Iterable[Supervisor]) -> None:
        self._loop = loop
        self._supervisors = list(supervisors)
        self._process = psutil.Process()
        self._tasks = len(asyncio.all_tasks(loop))
        self._timers = loop.timers
        self._fds = descriptors(self._process)

    def read(self, sessions: int, listeners: int) -> Reading:
        """
        Collect the garbage, and look.
        """
        gc.collect()
        all_of_them = [(each, each.statistics()) for each in self._supervisors]
        return Reading(
            sessions=sessions,
            rss=self._process.memory_info().rss,
            traced=tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else 0,
            objects=len(gc.get_objects()),
            live=sum(now.live for _, now in all_of_them),
            closing=sum(now.closing for _, now in all_of_them),
            queued=sum(now.queued + len(each._bells.queue) for each, now in all_of_them),
            waiting=sum(now.waiting for _, now in all_of_them),
            groups=sum(len(each._bounds.groups) for each, _ in all_of_them),
            weight=sum(now.weight for _, now in all_of_them),
            abandoned=sum(len(each._abandoned) for each, _ in all_of_them),
            listeners=listeners,
            tasks=len(asyncio.all_tasks(self._loop)) - self._tasks,
            timers=self._loop.timers - self._timers,
            fds=descriptors(self._process) - self._fds,
            children=len(self._process.children(recursive=True)) + len(trees),
        )


def descriptors(process: psutil.Process) -> int:
    """
    Return how many file descriptors are open; on Windows nothing, as handles come and go.
    """
    return 0 if sys.platform == "win32" else process.num_fds()
