"""
What the scenarios of `tests/injection.py` live in.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from sessionstate import Supervisor
    from sessionstate.testing import VirtualLoop

# Longer than every limit of the scenarios: what is still there after that is there for ever.
FOR_EVER = 100_000.0


class World:
    """
    What a scenario lives in: a supervisor, and a book of what it took and gave back.
    """

    def __init__(self, loop: VirtualLoop, supervisor: Supervisor) -> None:
        self.loop = loop
        self.supervisor = supervisor
        self.taken: Counter[str] = Counter()
        self.begun: Counter[str] = Counter()
        self.released: Counter[str] = Counter()
        self.log: list[str] = []

    def note(self, what: str) -> None:
        """
        Write down *what* happened; runs of the same scenario are compared by this.
        """
        self.log.append(f"{self.loop.time():.6f} {what}")

    def take(self, name: str) -> None:
        """
        Take a resource that has to be released exactly once.
        """
        self.taken[name] += 1
        self.note(f"take {name}")

    def release(self, name: str) -> None:
        """
        Release a resource at once.
        """
        self.begun[name] += 1
        self.released[name] += 1
        self.note(f"release {name}")

    async def release_slowly(self, name: str) -> None:
        """
        Release a resource in several steps.
        """
        self.begun[name] += 1
        self.note(f"begin {name}")
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        self.released[name] += 1
        self.note(f"release {name}")

    async def work(self, name: str, seconds: float = FOR_EVER) -> None:
        """
        Be a background task that holds a resource while it runs.
        """
        self.take(name)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.release(name)


async def live(seconds: float = 1.0) -> None:
    """
    Be a body: a few steps, some time, a few steps.
    """
    await asyncio.sleep(0)
    await asyncio.sleep(seconds)
    await asyncio.sleep(0)


class Grouped:
    """
    An async context manager with a task group inside, and a child in that.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name

    async def __aenter__(self) -> str:
        self.group = anyio.create_task_group()
        await self.group.__aenter__()
        self.world.take(self.name)
        try:
            self.group.start_soon(self.world.work, f"{self.name}'s child")
            await anyio.lowlevel.checkpoint()
        except BaseException:
            await self.leave(sys.exc_info())
            raise
        return self.name

    async def __aexit__(self, *exc: object) -> bool | None:
        return await self.leave(exc)

    async def leave(self, exc: Any) -> bool | None:
        """
        Cancel the child, wait for it, and give back.
        """
        self.world.begun[self.name] += 1
        self.group.cancel_scope.cancel()
        try:
            return await self.group.__aexit__(*exc)
        finally:
            self.world.released[self.name] += 1
            self.world.note(f"release {self.name}")
