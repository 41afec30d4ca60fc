"""
Tasks that a session owns.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from sessionstate import SessionError

from ._catalogue import scenario

if TYPE_CHECKING:
    from tests.world import World


@scenario()
async def background_tasks(world: World) -> None:
    """
    A session that owns tasks: one that goes on, one that returns, one cancelled by its handle.
    """
    async with world.supervisor.session("a") as session:
        session.start_soon(world.work, "on")
        session.start_soon(world.work, "short", 0.5)
        handle = session.start_soon(world.work, "cancelled")
        world.keep_slowly(session, "callback")
        await world.live()
        handle.cancel()
        await world.live()


@scenario()
async def task_that_crashes(world: World) -> None:
    """
    An owned task raises, which ends its session and interrupts the body.
    """

    async def crash() -> None:
        await world.live(0.5)
        raise LookupError("on purpose")

    with suppress(SessionError):
        async with world.supervisor.session("a") as session:
            world.keep_slowly(session, "a")
            session.start_soon(world.work, "bystander")
            session.start_soon(crash)
            await world.live(50)


@scenario()
async def task_that_says_when_it_is_ready(world: World) -> None:
    """
    A task is started and waited for until it is ready; another one fails before that.
    """

    async def serve(*, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        world.take("server")
        try:
            await asyncio.sleep(0.1 * world.pace)
            task_status.started("ready")
            await asyncio.sleep(1000)
        finally:
            world.release("server")

    async def fail(*, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        await asyncio.sleep(0)
        raise LookupError("on purpose")

    async with world.supervisor.session("a") as session:
        world.keep_slowly(session, "a")
        assert await session.start(serve) == "ready"
        with suppress(LookupError):
            await session.start(fail)
        await world.live(0.1)


@scenario()
async def task_that_cleans_up_slowly(world: World) -> None:
    """
    Owned tasks take their time to end when they are cancelled.
    """

    async def linger(name: str) -> None:
        world.take(name)
        try:
            await asyncio.sleep(1000)
        finally:
            await world.release_slowly(name)

    async with world.supervisor.session("a") as session:
        session.start_soon(linger, "one")
        session.start_soon(linger, "two")
        world.keep_slowly(session, "callback")
        await world.live(0.1)


@scenario()
async def task_in_another_session(world: World) -> None:
    """
    An owned task of one session is a holder of another, and ends its own.
    """
    supervisor = world.supervisor

    async def use() -> None:
        async with supervisor.session("b") as b:
            world.keep_slowly(b, "b")
            await world.live(0.5)
            a.close_soon()
            await world.live(0.5)

    with suppress(SessionError):
        async with supervisor.session("a") as a:
            world.keep_slowly(a, "a")
            a.start_soon(use)
            await world.live(50)
