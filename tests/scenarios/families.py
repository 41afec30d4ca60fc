"""
Parents and children.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionstate import Session, SessionError
from tests.world import Grouped, beside

from ._catalogue import scenario

if TYPE_CHECKING:
    from tests.world import World


async def use_child(world: World, parent: Session, name: str, seconds: float = 50) -> None:
    """
    Be a task inside a child of *parent*.
    """
    with suppress(SessionError):
        async with parent.child(name) as child:
            world.keep_slowly(child, name)
            await world.live(seconds)


@scenario()
async def parent_and_child_in_one_task(world: World) -> None:
    """
    A task inside a session and a child of it, each with clean-ups, and a second child after that.
    """
    async with world.supervisor.session("root") as root:
        world.keep_slowly(root, "root")
        async with root.child("child") as child:
            world.keep_slowly(child, "child")
            await child.enter_async_context(Grouped(world, "group"))
            await world.live()
        async with root.child("child") as child:
            world.keep(child, "second child")
            await world.live()
        world.keep(root, "root, at last")
        await world.live()


@scenario()
async def children_in_other_tasks(world: World) -> None:
    """
    Children are held by other tasks as the owner of their parent leaves.
    """
    users: list[asyncio.Task[None]] = []
    try:
        async with world.supervisor.session("root") as root:
            world.keep_slowly(root, "root")
            users += [asyncio.create_task(use_child(world, root, name)) for name in ("a", "b")]
            users.append(asyncio.create_task(use_child(world, root, "short", 0.5)))
            await world.live()
    finally:
        for user in users:
            user.cancel()


@scenario()
async def child_that_closes_as_its_parent_ends(world: World) -> None:
    """
    A child's async clean-up runs when its parent ends.
    """
    supervisor = world.supervisor
    async with supervisor.session("root") as root:
        world.keep_slowly(root, "root")
        child = await supervisor.open("child", parent=root)
        world.keep_slowly(child, "child")
        world.keep(child, "child, plainly")
        child.start_soon(world.work, "work")
        await world.live(0.1)
        child.close_soon()
        await asyncio.sleep(0)


@scenario()
async def grandchild(world: World) -> None:
    """
    Three generations, the youngest of them held, when the oldest is closed from outside.
    """
    supervisor = world.supervisor
    root = await supervisor.open("root", idle_timeout=20 * world.pace)
    world.keep_slowly(root, "root")
    child = await supervisor.open("child", parent=root)
    world.keep_slowly(child, "child")
    child.start_soon(world.work, "work")
    with beside(use_child(world, child, "grandchild")):
        await world.live(0.5)
        await supervisor.close("root")


@scenario()
async def closing_each_other(world: World) -> None:
    """
    A parent and a child whose clean-ups close each other.
    """
    supervisor = world.supervisor
    with suppress(SessionError):
        async with supervisor.session("root") as root, root.child("child") as child:
            world.keep_slowly(root, "root")
            world.keep_slowly(child, "child")
            child.push_async_callback(root.aclose)
            root.push_async_callback(child.aclose)
            await world.live()


@scenario()
async def expiry_of_a_parent(world: World) -> None:
    """
    A parent expires while a body is inside of a child of it.
    """
    with suppress(SessionError):
        async with world.supervisor.session("root", max_age=world.pace) as root:
            world.keep_slowly(root, "root")
            async with root.child("child") as child:
                world.keep_slowly(child, "child")
                await world.live(50)
