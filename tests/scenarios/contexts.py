"""
Context managers that a session owns.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

from sessionstate import SessionError
from tests.world import Grouped

from ._catalogue import scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.world import World


@contextmanager
def plain(world: World, name: str) -> Iterator[None]:
    """
    Be a context manager that holds a resource.
    """
    world.take(name)
    try:
        yield
    finally:
        world.release(name)


@asynccontextmanager
async def connection(world: World, name: str) -> AsyncIterator[str]:
    """
    Be an async one, which takes some steps to enter and to leave.
    """
    await asyncio.sleep(0.01 * world.pace)
    world.take(name)
    try:
        yield name
    finally:
        await world.release_slowly(name)


@scenario()
async def hosted_contexts(world: World) -> None:
    """
    A session that owns CMs with a task group inside.
    """
    async with world.supervisor.session("a") as session:
        await session.enter_async_context(Grouped(world, "one"))
        world.keep_slowly(session, "two")
        await session.enter_async_context(Grouped(world, "three"))
        await world.live()


@scenario()
async def connections(world: World) -> None:
    """
    A session that owns plain CMs and async ones, entered one after the other.
    """
    async with world.supervisor.session("a") as session:
        session.enter_context(plain(world, "plain"))
        assert await session.enter_async_context(connection(world, "one")) == "one"
        session.enter_context(plain(world, "another"))
        await session.enter_async_context(connection(world, "two"))
        await world.live(0.1)


@scenario()
async def context_that_fails_to_enter(world: World) -> None:
    """
    A CM raises as it is entered; what was entered before it stays, and is left.
    """

    @asynccontextmanager
    async def failing() -> AsyncIterator[None]:
        world.take("half")
        try:
            await asyncio.sleep(0.01 * world.pace)
            if world.pace:
                raise LookupError("on purpose")
            yield
        finally:
            await world.release_slowly("half")

    async with world.supervisor.session("a") as session:
        await session.enter_async_context(connection(world, "before"))
        with suppress(LookupError):
            await session.enter_async_context(failing())
        await world.live(0.1)


@scenario(raises=(ExceptionGroup,))
async def context_that_crashes(world: World) -> None:
    """
    A task inside of a CM raises, which ends the session as its resource failed.
    """

    @asynccontextmanager
    async def crashing() -> AsyncIterator[None]:
        async def crash() -> None:
            await asyncio.sleep(0.5 * world.pace)
            raise LookupError("on purpose")

        world.take("group")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(crash())
                yield
        finally:
            world.release("group")

    with suppress(SessionError):
        async with world.supervisor.session("a") as session:
            world.keep_slowly(session, "a")
            await session.enter_async_context(crashing())
            await world.live(50)


@scenario()
async def transaction_that_rolls_back(world: World) -> None:
    """
    A CM is thrown the error of the body, answers with it, and another one swallows its own.
    """

    @asynccontextmanager
    async def transaction(name: str) -> AsyncIterator[None]:
        world.take(name)
        try:
            yield
        except LookupError:
            await world.release_slowly(name)
            raise
        except BaseException:
            world.release(name)
            raise
        else:
            world.release(name)

    with suppress(LookupError):
        async with world.supervisor.session("a") as session:
            await session.enter_async_context(transaction("one"))
            await session.enter_async_context(transaction("two"))
            await world.live(0.1)
            raise LookupError("on purpose")
