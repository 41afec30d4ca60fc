"""
Supervisors that are full.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sessionstate import Session, SessionError, Supervisor
from tests.world import beside

from ._catalogue import scenario

if TYPE_CHECKING:
    from tests.world import World


@scenario()
async def eviction(world: World) -> None:
    """
    The one idle longest goes when another one opens; those that are held stay.
    """
    async with (
        Supervisor(default=False, max_sessions=3) as supervisor,
        supervisor.session("held") as held,
    ):
        world.keep_slowly(held, "held")
        for number in range(4):
            world.keep_slowly(await supervisor.open(str(number)), str(number))
            await world.live(0.1)
        assert set(supervisor) == {"held", "2", "3"}


@scenario()
async def waiting_for_a_place(world: World) -> None:
    """
    Openings wait until there is room; one of them not long enough.
    """

    async def use(id: str) -> None:
        with suppress(SessionError):
            async with supervisor.session(id) as session:
                world.keep_slowly(session, id)
                await world.live(0.5)

    options: dict[str, Any] = {"max_sessions": 1, "when_full": "wait"}
    options["open_timeout"] = world.pace
    async with Supervisor(default=False, **options) as supervisor:
        with beside(*map(use, "abc")) as users:
            await asyncio.wait(users)
        supervisor._check()


@scenario()
async def waiting_for_room(world: World) -> None:
    """
    Openings wait for room in a family and in a group, and come in one after the other.
    """

    async def use(supervisor: Supervisor, id: str, parent: Session) -> None:
        with suppress(SessionError):
            async with supervisor.session(id, parent=parent, group="g", weight=1) as session:
                world.keep_slowly(session, id)
                await world.live(0.3)

    options: dict[str, Any] = {"when_full": "wait", "max_per_group": 1, "max_weight": 2}
    options["open_timeout"] = 30 * world.pace
    async with Supervisor(default=False, **options) as supervisor:
        root = await supervisor.open("root", max_children=2)
        world.keep(root, "root")
        with beside(*(use(supervisor, id, root) for id in "abc")) as users:
            await world.live(0.5)
            await asyncio.wait(users)
        assert len(supervisor._bounds.groups) == 0
        supervisor._check()


@scenario()
async def refusal(world: World) -> None:
    """
    A full supervisor refuses, and takes again once there is room.
    """
    async with Supervisor(default=False, max_sessions=1, when_full="refuse") as supervisor:
        async with supervisor.session("a") as session:
            world.keep_slowly(session, "a")
            with suppress(SessionError):
                async with supervisor.session("b") as refused:
                    world.keep(refused, "b")
            await world.live(0.1)
        async with supervisor.session("b") as session:
            world.keep_slowly(session, "second b")
            await world.live(0.1)
