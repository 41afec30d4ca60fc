"""
Clean-up that goes wrong, and steps that come and go.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionstate import Supervisor

from ._catalogue import scenario

if TYPE_CHECKING:
    from tests.world import World


async def fail() -> None:
    """
    Be a step that raises.
    """
    await asyncio.sleep(0)
    raise LookupError("on purpose")


@scenario(raises=(ExceptionGroup,))
async def step_that_fails(world: World) -> None:
    """
    Steps of a clean-up raise, sync and async ones; the others run all the same.
    """
    with suppress(ExceptionGroup):
        async with world.supervisor.session("a") as session:
            world.keep_slowly(session, "below")
            session.push_async_callback(fail)
            world.keep(session, "between")
            session.callback(int, "nothing")
            world.keep_slowly(session, "above")
            await world.live()


@scenario(raises=(ExceptionGroup,))
async def step_that_hangs(world: World) -> None:
    """
    A step never ends; it is cancelled when its share of the time is used up, and the rest runs.
    """

    async def hang() -> None:
        with world.releasing("hanging"):
            await asyncio.sleep(1000)

    async with Supervisor(default=False, close_timeout=2) as supervisor:
        with suppress(ExceptionGroup):
            async with supervisor.session("a") as session:
                world.keep_slowly(session, "below")
                session.push_async_callback(hang)
                world.take("hanging")
                world.keep_slowly(session, "above")
                await world.live()


@scenario()
async def steps_from_steps(world: World) -> None:
    """
    A step takes something more while the session is closing.
    """

    async def more() -> None:
        with world.releasing("first"):
            await asyncio.sleep(0)
            world.keep_slowly(session, "second")
            world.keep(session, "third")

    async with world.supervisor.session("a") as session:
        session.push_async_callback(more)
        world.take("first")
        await world.live()


@scenario()
async def steps_taken_back(world: World) -> None:
    """
    Callbacks are taken back by their handles, and what they held is given back by hand.
    """
    async with world.supervisor.session("a") as session:
        one = session.callback(world.release, "one")
        world.take("one")
        two = session.push_async_callback(world.release_slowly, "two")
        world.take("two")
        world.keep_slowly(session, "stays")
        await world.live(0.1)
        if one.cancel():
            world.release("one")
        await asyncio.sleep(0)
        if two.cancel():
            world.release("two")
        await world.live(0.1)


@scenario()
async def closed_by_its_clean_up(world: World) -> None:
    """
    A step of one session closes another one, whose step closes the first.
    """
    supervisor = world.supervisor
    one, two = await supervisor.open("one", idle_timeout=9), await supervisor.open("two")
    one.push_async_callback(two.aclose)
    two.push_async_callback(one.aclose)
    world.keep_slowly(one, "one")
    world.keep_slowly(two, "two")
    await world.live(0.1)
    await one.aclose()
