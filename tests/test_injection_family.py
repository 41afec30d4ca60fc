"""
Cancellation at every step of the loop, in scenarios with children, groups and timers.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sessionstate import Session, SessionError, Supervisor
from tests.injection import MODES, Mode, explore
from tests.test_injection import EAGER, keep, keep_slowly
from tests.world import Grouped, World, live

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.virtual_time

SCENARIOS: list[Callable[[World], Awaitable[None]]] = []


def scenario(function: Callable[[World], Awaitable[None]]) -> Callable[[World], Awaitable[None]]:
    """
    Have *function* explored.
    """
    SCENARIOS.append(function)
    return function


async def use_child(world: World, parent: Session, name: str, seconds: float = 50) -> None:
    """
    Be a task inside a child of *parent*.
    """
    with suppress(SessionError):
        async with parent.child(name) as child:
            keep_slowly(world, child, name)
            await live(seconds)


@scenario
async def parent_and_child_in_one_task(world: World) -> None:
    """
    A task inside a session and a child of it, each with clean-ups, and a second child after that.
    """
    async with world.supervisor.session("root") as root:
        keep_slowly(world, root, "root")
        async with root.child("child") as child:
            keep_slowly(world, child, "child")
            await child.enter_async_context(Grouped(world, "group"))
            await live()
        async with root.child("child") as child:
            keep(world, child, "second child")
            await live()
        keep(world, root, "root, at last")
        await live()


@scenario
async def children_in_other_tasks(world: World) -> None:
    """
    Children are held by other tasks as the owner of their parent leaves.
    """
    users: list[asyncio.Task[None]] = []
    try:
        async with world.supervisor.session("root") as root:
            keep_slowly(world, root, "root")
            users += [asyncio.create_task(use_child(world, root, name)) for name in ("a", "b")]
            users.append(asyncio.create_task(use_child(world, root, "short", 0.5)))
            await live()
    finally:
        for user in users:
            user.cancel()


@scenario
async def child_that_closes_as_its_parent_ends(world: World) -> None:
    """
    A child's async clean-up runs when its parent ends.
    """
    supervisor = world.supervisor
    async with supervisor.session("root") as root:
        keep_slowly(world, root, "root")
        child = await supervisor.open("child", parent=root)
        keep_slowly(world, child, "child")
        keep(world, child, "child, plainly")
        child.start_soon(world.work, "work")
        await live(0.1)
        child.close_soon()
        await asyncio.sleep(0)


@scenario
async def grandchild(world: World) -> None:
    """
    Three generations, the youngest of them held, when the oldest is closed from outside.
    """
    supervisor = world.supervisor
    root = await supervisor.open("root", idle_timeout=20)
    keep_slowly(world, root, "root")
    child = await supervisor.open("child", parent=root)
    keep_slowly(world, child, "child")
    child.start_soon(world.work, "work")
    user = asyncio.create_task(use_child(world, child, "grandchild"))
    try:
        await live(0.5)
        await supervisor.close("root")
    finally:
        user.cancel()


@scenario
async def closing_each_other(world: World) -> None:
    """
    A parent and a child whose clean-ups close each other.
    """
    supervisor = world.supervisor
    with suppress(SessionError):
        async with supervisor.session("root") as root, root.child("child") as child:
            keep_slowly(world, root, "root")
            keep_slowly(world, child, "child")
            child.push_async_callback(root.aclose)
            root.push_async_callback(child.aclose)
            await live()


@scenario
async def expiry_of_a_parent(world: World) -> None:
    """
    A parent expires while a body is inside of a child of it.
    """
    with suppress(SessionError):
        async with world.supervisor.session("root", max_age=1) as root:
            keep_slowly(world, root, "root")
            async with root.child("child") as child:
                keep_slowly(world, child, "child")
                await live(50)


@scenario
async def waiting_for_room(world: World) -> None:
    """
    Openings wait for room in a family and in a group, and come in one after the other.
    """

    async def use(supervisor: Supervisor, id: str, parent: Session) -> None:
        with suppress(SessionError):
            async with supervisor.session(id, parent=parent, group="g", weight=1) as session:
                keep_slowly(world, session, id)
                await live(0.3)

    options = {"when_full": "wait", "open_timeout": 30, "max_per_group": 1, "max_weight": 2}
    async with Supervisor(default=False, **options) as supervisor:  # type: ignore[arg-type]
        root = await supervisor.open("root", max_children=2)
        keep(world, root, "root")
        users = [asyncio.create_task(use(supervisor, id, root)) for id in "abc"]
        try:
            await live(0.5)
            await asyncio.wait(users)
        finally:
            for user in users:
                user.cancel()
        assert len(supervisor._bounds.groups) == 0
        supervisor._check()


@scenario
async def closing_a_group(world: World) -> None:
    """
    A group is closed twice at once, while somebody is inside of a member.
    """
    supervisor = world.supervisor
    root = await supervisor.open("root", group="g", idle_timeout=20)
    keep_slowly(world, root, "root")
    user = asyncio.create_task(use_child(world, root, "child"))
    try:
        await live(0.1)
        async with asyncio.TaskGroup() as group:
            group.create_task(supervisor.close_group("g"))
            group.create_task(supervisor.close_group("g"))
    finally:
        user.cancel()


@scenario
async def timers(world: World) -> None:
    """
    Timers that ring, are cancelled, set another, and run async, while the session lives and ends.
    """

    def again() -> None:
        keep(world, session, "again")
        session.call_later(0, world.note, "rang")

    with suppress(SessionError):
        async with world.supervisor.session("a") as session:
            keep_slowly(world, session, "a")
            session.call_later(0.2, again)
            session.call_later(0.3, world.work, "task", 0.1)
            session.call_later(0.4, world.work, "long task")
            session.call_later(50, world.take, "never")
            session.call_later(0.6, world.take, "never").cancel()
            async with session.child("child") as child:
                child.call_later(0.1, keep_slowly, world, child, "child")
                await live()
            session.call_later(0.05, session.close_soon)
            await live()


@pytest.mark.parametrize("eager", [pytest.param(False, id="lazy"), EAGER])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda function: function.__name__)
class TestInjection:
    def test_some_steps(
        self, scenario: Callable[[World], Awaitable[None]], mode: Mode, *, eager: bool
    ) -> None:
        """
        A cancellation at any of some sixty steps leaves nothing, and every clean-up ran once.
        """
        explore(scenario, mode, most=60, eager=eager)

    @pytest.mark.stress
    def test_every_step(
        self, scenario: Callable[[World], Awaitable[None]], mode: Mode, *, eager: bool
    ) -> None:
        """
        A cancellation at any step at all leaves nothing, and every clean-up ran once.
        """
        explore(scenario, mode, eager=eager)
