"""
Watches a loop: counts its steps, numbers its tasks, writes down what ran.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from ._places import RUNNER, place, what_runs
from ._throwing import Thrower, woken
from ._virtual_loop import VirtualLoop

Task = asyncio.Task[Any]

ENDS: Final = {"_run_until_complete_cb"}
"""What asyncio calls when what was to be run is done."""

SLEEP: Final = "asyncio.sleep"


@dataclass(frozen=True, slots=True)
class Step:
    """
    When something ran, and what.
    """

    when: float
    what: str
    shown: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.shown} at {self.when:.9g} s"

    @property
    def exactly(self) -> str:
        """
        What tells it apart from one that is shown in the same way.
        """
        return f"{self.shown} at {self.when!r} s ({self.what})"


class Watch:
    """
    The observer of a loop.

    Tasks are numbered in the order in which the loop first heard of them, which is the same on
    each run; `asyncio.all_tasks` is a set, in the order of addresses, and some tasks hide from it.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        before_step: Callable[[int], None],
        *,
        record: bool = True,
        thrower: Thrower | None = None,
    ) -> None:
        self.steps = 0
        """Steps since the scenario began."""
        self.trace: list[Step] = []
        """Each of them."""
        self.alive_at: list[int] = []
        """How many tasks could be disturbed before each of them."""
        self._counting = False
        self._recording = record
        self._thrower = thrower
        self._spared: Task | None = None
        self._loop = loop
        self._before_step = before_step
        self._refs: dict[int, weakref.ref[Task]] = {}
        self._numbers: dict[int, tuple[int, weakref.ref[Task]]] = {}
        """By address, which another task may have later."""
        self._named = 0
        self._before = 0
        """The number of the last task that was there before the scenario began."""
        loop.observer = self

    def start(self, *, spare: Task | None = None) -> None:
        """
        Begin to count: the scenario's own task is the next to be made.

        The task to *spare* is nobody's to disturb.
        """
        self._counting = True
        self._spared = spare
        self._before = self._named

    def stop(self) -> None:
        """
        Count no more, and let nothing happen before a step any more.
        """
        self._counting = False

    def part(self) -> None:
        """
        Forget who is told of each step, who would keep this alive and be kept by it.
        """
        self._before_step = _nothing

    def alive(self) -> list[Task]:
        """
        Return the tasks that are not done, in the order of their appearance.
        """
        alive: list[Task] = []
        for number, ref in list(self._refs.items()):
            task = ref()
            if task is None or task.done():
                del self._refs[number]
            else:
                alive.append(task)
        return alive

    def newer(self) -> list[Task]:
        """
        Return those of them that came since the scenario began.
        """
        return [task for task in self.alive() if self._number(task) > self._before]

    def targets(self) -> list[Task]:
        """
        Return those of them that may be disturbed.
        """
        return [task for task in self.alive() if task is not self._spared]

    def made(self, task: Task) -> None:
        """
        Number a task, which may wait already for something.
        """
        self._number(task)

    def scheduled(self, handle: asyncio.Handle) -> None:
        """
        Number a task that somebody made without the loop.
        """
        owner = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
        if isinstance(owner, asyncio.Task):
            self._number(owner)

    def step(self, handle: asyncio.Handle) -> None:
        """
        Count a step and write it down.
        """
        if self._counting:
            self.steps += 1
            if self._recording:
                self.alive_at.append(len(self.targets()))
                self.trace.append(Step(round(self._loop.time(), 9), *self._labels(handle)))
            self._before_step(self.steps)
            if self._thrower is not None:
                task = woken(handle)
                if task is not None and self._number(task) > self._before:
                    self._thrower.meet(handle, task)

    def _number(self, task: Task) -> int:
        known = self._numbers.get(id(task))
        if known is not None and known[1]() is task:
            return known[0]
        self._named = number = self._named + 1
        self._refs[number] = ref = weakref.ref(task)
        self._numbers[id(task)] = number, ref
        return number

    def _labels(self, handle: asyncio.Handle) -> tuple[str, str]:
        """
        Return by what a step is known again, and what is told of it.
        """
        callback: Any = handle._callback  # type: ignore[attr-defined]
        while isinstance(callback, partial):
            callback = callback.func
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, asyncio.Task):
            name = getattr(owner.get_coro(), "__qualname__", "?")
            where = place(owner)
            shown = f"{what_runs(owner)} (it waited at {where})" if where else what_runs(owner)
            return f"task {self._number(owner)}, {name}", shown
        name = getattr(callback, "__qualname__", None) or type(callback).__name__
        if name in ENDS or str(getattr(callback, "__module__", "")).startswith(RUNNER):
            return name, "the end of the scenario"
        kind = "timer" if isinstance(handle, asyncio.TimerHandle) else "callback"
        return name, f"a {kind}, {SLEEP if name == '_set_result_unless_cancelled' else name},"


def _nothing(step: int) -> None:
    """
    Let a step be.
    """
