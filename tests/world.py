"""
What the scenarios live in: a supervisor, and a book of what was taken and given back.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from sessionstate import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from sessionstate import Session

# Longer than every limit of the scenarios: what is still there after that is there for ever.
FOR_EVER = 100_000.0


class World:
    """
    What a scenario lives in.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.taken: Counter[str] = Counter()
        self.begun: Counter[str] = Counter()
        self.released: Counter[str] = Counter()
        self.cut_short: Counter[str] = Counter()
        self.pace = 1.0
        """By how much everything is shorter."""

    # The book

    def take(self, name: str) -> None:
        """
        Take a resource that has to be released exactly once.
        """
        self.taken[name] += 1

    def release(self, name: str) -> None:
        """
        Release a resource at once.
        """
        self.begun[name] += 1
        self.released[name] += 1

    async def release_slowly(self, name: str) -> None:
        """
        Release a resource in several steps.
        """
        with self.releasing(name):
            await asyncio.sleep(0)
            await asyncio.sleep(0.01 * self.pace)

    @contextmanager
    def releasing(self, name: str) -> Iterator[None]:
        """
        Be the release of a resource, which an error or a cancellation may cut short.
        """
        self.begun[name] += 1
        try:
            yield
        except BaseException:
            self.cut_short[name] += 1
            raise
        self.released[name] += 1

    def verify(self) -> None:
        """
        Raise AssertionError unless everything that was taken was released, each once.
        """
        live = list(self.supervisor.values())
        assert not live, f"sessions live for ever: {live}"
        assert not self.supervisor._closing, f"sessions close for ever: {self.supervisor._closing}"
        self.supervisor._check()
        for name in self.taken | self.begun | self.released:
            taken, begun = self.taken[name], self.begun[name]
            assert taken == begun, f"{name}: taken {taken} times, release begun {begun} times"
            # A clean-up whose own task was cancelled may stop half-way; it never runs twice.
            ended = self.released[name] + self.cut_short[name]
            assert begun == ended, f"{name}: release begun {begun} times, ended {ended} times"

    # What scenarios do

    def keep(self, session: Session, name: str) -> None:
        """
        Take a resource that a sync callback of *session* releases.
        """
        session.callback(self.release, name)
        self.take(name)

    def keep_slowly(self, session: Session, name: str) -> None:
        """
        Take a resource that an async callback of *session* releases.
        """
        session.push_async_callback(self.release_slowly, name)
        self.take(name)

    async def live(self, seconds: float = 1.0) -> None:
        """
        Be a body: a few steps, some time, a few steps.
        """
        await asyncio.sleep(0)
        await asyncio.sleep(seconds * self.pace)
        await asyncio.sleep(0)

    async def work(self, name: str, seconds: float = FOR_EVER) -> None:
        """
        Be a background task that holds a resource while it runs.
        """
        self.take(name)
        try:
            await asyncio.sleep(seconds * self.pace)
        finally:
            self.release(name)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """
    Make a world: what each run of a scenario begins with.
    """
    async with Supervisor() as supervisor:
        yield World(supervisor)


@contextmanager
def beside(*coros: Coroutine[Any, Any, Any]) -> Iterator[list[asyncio.Task[Any]]]:
    """
    Run *coros* in tasks, which are cancelled at the end of the block if they are not done.
    """
    tasks = [asyncio.create_task(coro) for coro in coros]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()


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
        with self.world.releasing(self.name):
            self.group.cancel_scope.cancel()
            return await self.group.__aexit__(*exc)
