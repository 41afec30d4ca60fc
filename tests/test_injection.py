"""
Cancellation at every step of the loop: nothing is left, every clean-up runs exactly once.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sessionstate import CloseReason, Session, SessionError, Supervisor
from tests.injection import MODES, Mode, explore
from tests.world import Grouped, World, live

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# The explorer makes its own virtual loops: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time

SCENARIOS: list[Callable[[World], Awaitable[None]]] = []


def scenario(function: Callable[[World], Awaitable[None]]) -> Callable[[World], Awaitable[None]]:
    """
    Have *function* explored.
    """
    SCENARIOS.append(function)
    return function


def keep(world: World, session: Session, name: str) -> None:
    """
    Take a resource that a sync callback releases.
    """
    session.callback(world.release, name)
    world.take(name)


def keep_slowly(world: World, session: Session, name: str) -> None:
    """
    Take a resource that an async callback releases.
    """
    session.push_async_callback(world.release_slowly, name)
    world.take(name)


@scenario
async def sync_callbacks(world: World) -> None:
    """
    A session that owns two sync callbacks.
    """
    async with world.supervisor.session("a") as session:
        keep(world, session, "one")
        await live()
        keep(world, session, "two")
        await live()


@scenario
async def async_callbacks(world: World) -> None:
    """
    A session that owns async callbacks between sync ones.
    """
    async with world.supervisor.session("a") as session:
        keep_slowly(world, session, "one")
        keep(world, session, "two")
        await live()
        keep_slowly(world, session, "three")
        await live()


@scenario
async def hosted_contexts(world: World) -> None:
    """
    A session that owns CMs with a task group inside.
    """
    async with world.supervisor.session("a") as session:
        await session.enter_async_context(Grouped(world, "one"))
        keep_slowly(world, session, "two")
        await session.enter_async_context(Grouped(world, "three"))
        await live()


@scenario
async def background_tasks(world: World) -> None:
    """
    A session that owns tasks: one that goes on, one that returns, one cancelled by its handle.
    """
    async with world.supervisor.session("a") as session:
        session.start_soon(world.work, "on")
        session.start_soon(world.work, "short", 0.5)
        handle = session.start_soon(world.work, "cancelled")
        keep_slowly(world, session, "callback")
        await live()
        handle.cancel()
        await live()


@scenario
async def get_or_create(world: World) -> None:
    """
    Three tasks wait for one load.
    """

    async def load() -> str:
        await live(0.1)
        keep_slowly(world, session, "profile")
        return "loaded"

    async def use() -> None:
        # The load is cancelled with its last waiter, and its task may be cancelled alone.
        with suppress(SessionError):
            await session.get_or_create("profile", load)

    async with world.supervisor.session("a") as session:
        keep(world, session, "callback")
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(use())
        await live()


@scenario
async def nested_sessions(world: World) -> None:
    """
    A task inside three sessions, one of them twice.
    """
    supervisor = world.supervisor
    async with supervisor.session("a") as a:
        keep_slowly(world, a, "a")
        async with supervisor.session("b") as b:
            keep_slowly(world, b, "b")
            async with supervisor.session("a"), supervisor.session("c") as c:
                keep(world, c, "c")
                await live()
            await live()


@scenario
async def visitor_and_owner(world: World) -> None:
    """
    A visitor is interrupted when the last owner leaves.
    """
    supervisor = world.supervisor

    async def own() -> None:
        with suppress(SessionError):
            async with supervisor.session("a") as session:
                keep_slowly(world, session, "owner")
                await live()

    owner = asyncio.create_task(own())
    try:
        with suppress(SessionError):
            async with supervisor.attach("a") as session:
                keep_slowly(world, session, "visitor")
                await live(50)
    finally:
        owner.cancel()
    async with supervisor.attach("a") as session:
        keep(world, session, "second life")


@scenario
async def linger_and_reconnect(world: World) -> None:
    """
    A client comes back within its linger, and stays away after that.
    """
    supervisor = world.supervisor
    async with supervisor.session("a", linger=10) as session:
        keep_slowly(world, session, "first")
        await live()
    await asyncio.sleep(5)
    async with supervisor.session("a", linger=10) as session:
        keep_slowly(world, session, "again")
        await live()
    await asyncio.sleep(20)
    async with supervisor.session("a", linger=10) as session:
        keep(world, session, "second life")
        await live()


@scenario
async def close_another(world: World) -> None:
    """
    A session is closed by a task that is outside, and again while it closes.
    """
    supervisor = world.supervisor

    async def own() -> None:
        with suppress(SessionError):
            async with supervisor.session("b") as session:
                keep_slowly(world, session, "b")
                session.start_soon(world.work, "work")
                await live(50)

    async with supervisor.session("a") as session:
        keep_slowly(world, session, "a")
        owner = asyncio.create_task(own())
        try:
            await live()
            async with asyncio.TaskGroup() as group:
                group.create_task(supervisor.close("b"))
                group.create_task(supervisor.close("b"))
        finally:
            owner.cancel()


@scenario
async def close_its_own(world: World) -> None:
    """
    A holder asks for the end of its own session, twice.
    """
    async with world.supervisor.session("a") as session:
        keep_slowly(world, session, "a")
        await live()
        session.close_soon()
        session.close_soon()
        await live(50)


@scenario
async def leave_a_supervisor(world: World) -> None:
    """
    A supervisor is left while sessions of it live, held and not.
    """

    async def hold(supervisor: Supervisor) -> None:
        with suppress(SessionError):
            async with supervisor.session("held") as session:
                keep_slowly(world, session, "held")
                session.start_soon(world.work, "work")
                await live(50)

    async with Supervisor(default=False) as supervisor:
        holder = asyncio.create_task(hold(supervisor))
        try:
            session = await supervisor.open("open")
            keep_slowly(world, session, "open")
            await live()
        except BaseException:
            holder.cancel()
            raise


@scenario
async def hooks(world: World) -> None:
    """
    Hooks, sync and async, see each life once.
    """
    supervisor = world.supervisor

    @supervisor.on_open
    async def opened(session: Session) -> None:
        world.take(f"{session.id} {session.incarnation}")
        await asyncio.sleep(0)
        keep_slowly(world, session, "from the hook")

    @supervisor.on_close
    async def closed(session: Session, reason: CloseReason) -> None:
        await world.release_slowly(f"{session.id} {session.incarnation}")

    for _ in range(2):
        async with supervisor.session("a") as session:
            keep(world, session, "callback")
            await live(0.1)


@scenario
async def expiry_of_a_held_session(world: World) -> None:
    """
    A body is interrupted by its session's age, and another one opens the id at once.
    """
    supervisor = world.supervisor
    with suppress(SessionError):
        async with supervisor.session("a", max_age=1) as session:
            keep_slowly(world, session, "a")
            await session.enter_async_context(Grouped(world, "group"))
            await live(50)
    async with supervisor.session("a") as session:
        keep(world, session, "second life")
        await live()


@scenario
async def time_out_around(world: World) -> None:
    """
    A time-out around a session ends it, and is what its caller sees.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(2), world.supervisor.session("a") as session:
            keep_slowly(world, session, "a")
            await live(50)
    async with world.supervisor.session("a") as session:
        keep(world, session, "second life")
        await live()


EAGER = pytest.param(
    True,
    id="eager",
    marks=pytest.mark.skipif(
        sys.version_info < (3, 12), reason="eager tasks came with Python 3.12"
    ),
)


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
