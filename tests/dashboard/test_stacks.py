"""
Where a task waits, and where a thread is.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import types
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate.dashboard._stacks import DEEPEST, running_at, waiting_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

SECRET = "only the program knows"  # noqa: S105


def names(stack: list[str]) -> list[str]:
    """
    Return the functions of a stack, and check the form of its places.
    """
    for each in stack:
        file, _, rest = each.partition(".py:")
        number, _, _ = rest.partition(" in ")
        assert file, each
        assert number.isdigit(), each
        assert SECRET not in each
    return [each.rpartition(" in ")[2].rpartition(".")[2] for each in stack]


class Waits:
    """
    Something that is awaited through a generator.
    """

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future

    def __await__(self) -> Generator[Any, None, None]:
        yield from self.future.__await__()


async def inner(future: asyncio.Future[None], secret: str) -> None:
    """
    Wait at last.
    """
    await Waits(future)


async def outer(future: asyncio.Future[None], depth: int = 0) -> None:
    """
    Wait for the one who waits.
    """
    if depth:
        await outer(future, depth - 1)
    else:
        await inner(future, SECRET)


@types.coroutine
def old(future: asyncio.Future[None]) -> Generator[Any, None, None]:
    """
    Wait as was done before there was `await`.
    """
    yield from future


async def through_old(future: asyncio.Future[None]) -> None:
    """
    Wait in a generator.
    """
    await old(future)


async def numbers(future: asyncio.Future[None]) -> AsyncIterator[int]:
    """
    Wait before the first number.
    """
    await future
    yield 1


async def through_numbers(future: asyncio.Future[None]) -> None:
    """
    Wait for an iterator, into which nobody can look.
    """
    async for _ in numbers(future):
        pass


async def begun(coro: Any) -> asyncio.Task[None]:
    """
    Return a task that waits.
    """
    task: asyncio.Task[None] = asyncio.create_task(coro)
    await asyncio.sleep(0)
    return task


class TestWaitingAt:
    @pytest.mark.parametrize(
        ("call", "wanted"),
        [
            (outer, ["__await__", "inner", "outer"]),
            (through_old, ["old", "through_old"]),
            (through_numbers, ["through_numbers"]),
        ],
    )
    async def test_all_of_it(self, call: Any, wanted: list[str]) -> None:
        """
        The innermost place comes first, through coroutines and generators.
        """
        future = asyncio.get_running_loop().create_future()
        task = await begun(call(future))
        assert names(waiting_at(task)) == wanted
        future.set_result(None)
        await task

    async def test_at_most(self) -> None:
        """
        Of a deep stack the innermost places are told.
        """
        future = asyncio.get_running_loop().create_future()
        task = await begun(outer(future, 3 * DEEPEST))
        told = names(waiting_at(task))
        assert told == ["__await__", "inner", *["outer"] * (DEEPEST - 2)]
        future.set_result(None)
        await task

    async def test_nothing_to_tell(self) -> None:
        """
        Of no task, and of one that has ended, there is no place.
        """
        task = await begun(asyncio.sleep(0))
        await task
        assert waiting_at(task) == []
        assert waiting_at(None) == []

    async def test_of_whoever_asks(self) -> None:
        """
        A task that runs is where it asks.
        """
        assert names(waiting_at(asyncio.current_task()))[0] == "test_of_whoever_asks"


class TestRunningAt:
    def test_another_thread(self) -> None:
        """
        Of a thread that is busy, the innermost place comes first.
        """
        there, over = threading.Event(), threading.Event()

        def busy(secret: str) -> None:
            there.set()
            over.wait()

        thread = threading.Thread(target=busy, args=(SECRET,))
        thread.start()
        there.wait()
        assert thread.ident is not None
        told = names(running_at(thread.ident))
        assert "busy" in told
        assert told[-1] == "_bootstrap"
        over.set()
        thread.join()
        assert running_at(thread.ident) == []

    def test_at_most(self) -> None:
        """
        Of a deep stack the innermost places are told.
        """

        def dive(depth: int) -> list[str]:
            return dive(depth - 1) if depth else running_at(threading.get_ident())

        assert names(dive(3 * DEEPEST)) == ["running_at", *["dive"] * (DEEPEST - 1)]

    def test_no_such_thread(self) -> None:
        """
        Of a thread that is not there, there is no place.
        """
        assert running_at(max(sys._current_frames()) + 1) == []
