"""
Groups, and weights.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionstate import SessionError, Supervisor
from tests.world import beside

from ._catalogue import scenario
from .families import use_child

if TYPE_CHECKING:
    from tests.world import World


@scenario()
async def closing_a_group(world: World) -> None:
    """
    A group is closed twice at once, while somebody is inside of a member.
    """
    supervisor = world.supervisor
    root = await supervisor.open("root", group="g", idle_timeout=20 * world.pace)
    world.keep_slowly(root, "root")
    with beside(use_child(world, root, "child")):
        await world.live(0.1)
        async with asyncio.TaskGroup() as group:
            group.create_task(supervisor.close_group("g"))
            group.create_task(supervisor.close_group("g"))


@scenario()
async def full_group(world: World) -> None:
    """
    A member of a full group has to go when another one opens, and a whole group at last.
    """
    async with Supervisor(default=False, max_per_group=2) as supervisor:
        for id in "abcd":
            world.keep_slowly(await supervisor.open(id, group="g"), id)
            await world.live(0.1)
        assert set(supervisor) == {"c", "d"}
        supervisor.close_group_soon("g")
        await world.live(0.1)


@scenario()
async def weights(world: World) -> None:
    """
    Sessions become heavier, and idle ones go to make room for them.
    """
    async with Supervisor(default=False, max_weight=10) as supervisor:
        for id in "abc":
            world.keep_slowly(await supervisor.open(id, weight=3), id)
            await world.live(0.1)
        with suppress(SessionError):
            async with supervisor.attach("c", create=False) as session:
                session.weight = 8
                await world.live(0.1)
        with suppress(SessionError):
            async with supervisor.session("d", weight=9) as session:
                world.keep(session, "d")
                await world.live(0.1)
        supervisor._check()
