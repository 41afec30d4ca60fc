"""
What a session loads once, for everybody who waits.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionstate import SessionError
from tests.world import beside

from ._catalogue import scenario

if TYPE_CHECKING:
    from tests.world import World


@scenario()
async def get_or_create(world: World) -> None:
    """
    Three tasks wait for one load.
    """

    async def load() -> str:
        await world.live(0.1)
        world.keep_slowly(session, "profile")
        return "loaded"

    async def use() -> None:
        # The load is cancelled with its last waiter, and its task may be cancelled alone.
        with suppress(SessionError):
            await session.get_or_create("profile", load)

    async with world.supervisor.session("a") as session:
        world.keep(session, "callback")
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(use())
        await world.live()


@scenario()
async def load_that_fails(world: World) -> None:
    """
    A load fails; the next one who asks loads again.
    """
    calls: list[int] = []

    async def load() -> str:
        await world.work("load", 0.1)
        calls.append(len(calls))
        if len(calls) == 1:
            raise LookupError("on purpose")
        world.keep_slowly(session, "profile")
        return "loaded"

    async with world.supervisor.session("a") as session:
        with suppress(LookupError):
            await session.get_or_create("profile", load)
        await session.get_or_create("profile", load)
        await session.get_or_create("profile", load)
        await world.live(0.1)


@scenario()
async def load_that_nobody_waits_for(world: World) -> None:
    """
    The only waiter of a load gives up, and the load is cancelled with it.
    """

    async def load() -> None:
        await world.work("load")

    async with world.supervisor.session("a") as session:
        world.keep(session, "callback")
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5 * world.pace):
                await session.get_or_create("profile", load)
        await world.live(0.1)


@scenario()
async def load_as_its_session_ends(world: World) -> None:
    """
    A session ends while others wait for its loads; they are told that it is closed.
    """

    async def load() -> None:
        await world.work("load")

    async def wait(key: str) -> None:
        with suppress(SessionError):
            await session.get_or_create(key, load)

    session = await world.supervisor.open("a")
    world.keep_slowly(session, "a")
    with beside(wait("one"), wait("two"), wait("one")):
        await world.live(0.1)
        await session.aclose()
        await world.live(0.1)
