"""
Sessions that end because nobody ended them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sessionstate import SessionError, Supervisor
from tests.world import Grouped

from ._catalogue import scenario

if TYPE_CHECKING:
    from tests.world import World


@scenario()
async def expiry_of_a_held_session(world: World) -> None:
    """
    A body is interrupted by its session's age, and another one opens the id at once.
    """
    supervisor = world.supervisor
    with suppress(SessionError):
        async with supervisor.session("a", max_age=world.pace) as session:
            world.keep_slowly(session, "a")
            await session.enter_async_context(Grouped(world, "group"))
            await world.live(50)
    async with supervisor.session("a") as session:
        world.keep(session, "second life")
        await world.live()


@scenario()
async def linger_and_reconnect(world: World) -> None:
    """
    A client comes back within its linger, and stays away after that.
    """
    supervisor, linger = world.supervisor, 10 * world.pace
    async with supervisor.session("a", linger=linger) as session:
        world.keep_slowly(session, "first")
        await world.live()
    await world.live(5)
    async with supervisor.session("a", linger=linger) as session:
        world.keep_slowly(session, "again")
        await world.live()
    await world.live(20)
    async with supervisor.session("a", linger=linger) as session:
        world.keep(session, "second life")
        await world.live()


@scenario()
async def idle_sessions(world: World) -> None:
    """
    Sessions that nobody holds expire; one is touched, one extended, one visited meanwhile.
    """
    supervisor, idle = world.supervisor, 2 * world.pace
    sessions = {id: await supervisor.open(id, idle_timeout=idle) for id in "abcd"}
    for id, session in sessions.items():
        world.keep_slowly(session, id)
    await world.live()
    sessions["b"].touch()
    sessions["c"].extend(5 * world.pace)
    with suppress(SessionError):
        async with supervisor.attach("d", create=False):
            await world.live(2)
    await world.live(8)


@scenario()
async def stall(world: World) -> None:
    """
    A body that is silent for too long is interrupted; one that says something is not.
    """
    supervisor, limit = world.supervisor, 2 * world.pace
    with suppress(SessionError):
        async with supervisor.session("a", stall_timeout=limit) as session:
            world.keep_slowly(session, "a")
            for _ in range(3):
                await world.live(1.5)
                session.touch()
            await world.live(50)


@scenario()
async def never_used(world: World) -> None:
    """
    What was opened and never entered ends earlier than what was used once.
    """
    limits: dict[str, Any] = {"unused_timeout": 1 * world.pace, "idle_timeout": 5 * world.pace}
    async with Supervisor(default=False, **limits) as supervisor:
        for id in ("unused", "used"):
            world.keep_slowly(await supervisor.open(id), id)
        with suppress(SessionError):
            async with supervisor.attach("used"):
                await world.live(0.1)
        await world.live(2)
        assert "unused" not in supervisor
        await world.live(8)


@scenario()
async def expiry_in_the_clean_up(world: World) -> None:
    """
    Sessions expire while the clean-up of others takes its time, more than may close at once.
    """
    limits: dict[str, Any] = {"idle_timeout": 1 * world.pace, "max_closing": 2}
    async with Supervisor(default=False, **limits) as supervisor:
        for number in range(5):
            session = await supervisor.open(str(number))
            session.push_async_callback(asyncio.sleep, 0.3 * world.pace)
            world.keep_slowly(session, str(number))
        await world.live(5)
