"""
Sessions that are held: owners, visitors, one inside another.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from sessionstate import SessionError
from tests.world import beside

from ._catalogue import scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.world import World


@scenario()
async def sync_callbacks(world: World) -> None:
    """
    A session that owns two sync callbacks.
    """
    async with world.supervisor.session("a") as session:
        world.keep(session, "one")
        await world.live()
        world.keep(session, "two")
        await world.live()


@scenario()
async def async_callbacks(world: World) -> None:
    """
    A session that owns async callbacks between sync ones.
    """
    async with world.supervisor.session("a") as session:
        world.keep_slowly(session, "one")
        world.keep(session, "two")
        await world.live()
        world.keep_slowly(session, "three")
        await world.live()


@scenario()
async def nested_sessions(world: World) -> None:
    """
    A task inside three sessions, one of them twice.
    """
    supervisor = world.supervisor
    async with supervisor.session("a") as a:
        world.keep_slowly(a, "a")
        async with supervisor.session("b") as b:
            world.keep_slowly(b, "b")
            async with supervisor.session("a"), supervisor.session("c") as c:
                world.keep(c, "c")
                await world.live()
            await world.live()


@scenario()
async def visitor_and_owner(world: World) -> None:
    """
    A visitor is interrupted when the last owner leaves.
    """
    supervisor = world.supervisor

    async def own() -> None:
        with suppress(SessionError):
            async with supervisor.session("a") as session:
                world.keep_slowly(session, "owner")
                await world.live()

    with beside(own()), suppress(SessionError):
        async with supervisor.attach("a") as session:
            world.keep_slowly(session, "visitor")
            await world.live(50)
    async with supervisor.attach("a") as session:
        world.keep(session, "second life")


@scenario()
async def two_owners(world: World) -> None:
    """
    Two tasks own one session, and the later one leaves it last.
    """

    async def own() -> None:
        with suppress(SessionError):
            async with world.supervisor.session("a") as session:
                world.keep_slowly(session, "other")
                await world.live(2)

    with beside(own()) as (other,):
        async with world.supervisor.session("a") as session:
            world.keep_slowly(session, "one")
            await world.live()
        await asyncio.wait([other])


@scenario()
async def close_another(world: World) -> None:
    """
    A session is closed by a task that is outside, and again while it closes.
    """
    supervisor = world.supervisor

    async def own() -> None:
        with suppress(SessionError):
            async with supervisor.session("b") as session:
                world.keep_slowly(session, "b")
                session.start_soon(world.work, "work")
                await world.live(50)

    async with supervisor.session("a") as session:
        world.keep_slowly(session, "a")
        with beside(own()):
            await world.live()
            async with asyncio.TaskGroup() as group:
                group.create_task(supervisor.close("b"))
                group.create_task(supervisor.close("b"))


@scenario()
async def close_its_own(world: World) -> None:
    """
    A holder asks for the end of its own session, twice.
    """
    async with world.supervisor.session("a") as session:
        world.keep_slowly(session, "a")
        await world.live()
        session.close_soon()
        session.close_soon()
        await world.live(50)


@scenario()
async def time_out_around(world: World) -> None:
    """
    A time-out around a session ends it, and is what its caller sees.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(2 * world.pace), world.supervisor.session("a") as session:
            world.keep_slowly(session, "a")
            await world.live(50)
    async with world.supervisor.session("a") as session:
        world.keep(session, "second life")
        await world.live()


@scenario()
async def scope_around(world: World) -> None:
    """
    A scope of anyio's around a session, and one inside of its body, run out of time.
    """
    with anyio.move_on_after(2 * world.pace):
        async with world.supervisor.session("a") as session:
            world.keep_slowly(session, "a")
            with anyio.move_on_after(0.5 * world.pace):
                await world.live(50)
            await world.live(50)
    await world.live(0.1)


@scenario()
async def body_that_fails(world: World) -> None:
    """
    A body raises; its session is closed as failed, and the error comes out unchanged.
    """
    with suppress(LookupError):
        async with world.supervisor.session("a") as session:
            world.keep_slowly(session, "a")
            await world.live()
            raise LookupError("on purpose")
    await world.live(0.1)


@scenario()
async def reopening(world: World) -> None:
    """
    An id is opened again while its earlier life is still being closed.
    """
    supervisor = world.supervisor
    session = await supervisor.open("a")
    world.keep_slowly(session, "first")
    session.close_soon()
    async with supervisor.session("a") as session:
        world.keep_slowly(session, "second")
        await world.live(0.1)
    session = await supervisor.open("a", idle_timeout=5)
    world.keep(session, "third")
    await supervisor.lookup("a")
    await supervisor.close("a")


@scenario()
async def generator_in_a_session(world: World) -> AsyncIterator[int]:
    """
    A generator holds a session while it gives values, as a streaming answer does.
    """
    async with world.supervisor.session("a") as session:
        world.keep_slowly(session, "a")
        session.start_soon(world.work, "work")
        for number in range(4):
            yield number
            await asyncio.sleep(0.1 * world.pace)


@scenario()
async def generator_in_a_visit(world: World) -> AsyncIterator[int]:
    """
    A generator visits a session that another one owns.
    """
    async with world.supervisor.session("a") as session:
        world.keep(session, "owner")
        async with world.supervisor.attach("a") as visited:
            world.keep_slowly(visited, "visitor")
            yield 1
            await world.live(0.1)
            yield 2
