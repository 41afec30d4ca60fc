"""
Supervisors that are left.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionstate import SessionError, Supervisor
from tests.world import Grouped, beside

from ._catalogue import scenario

if TYPE_CHECKING:
    from tests.world import World


async def hold(world: World, supervisor: Supervisor, id: str) -> None:
    """
    Be a task inside of a session for long.
    """
    with suppress(SessionError):
        async with supervisor.session(id) as session:
            world.keep_slowly(session, id)
            session.start_soon(world.work, f"{id}'s work")
            await world.live(50)


@scenario()
async def leave_a_supervisor(world: World) -> None:
    """
    A supervisor is left while sessions of it live, held and not.
    """
    async with Supervisor(default=False) as supervisor:
        holder = asyncio.create_task(hold(world, supervisor, "held"))
        holder.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            session = await supervisor.open("open")
            world.keep_slowly(session, "open")
            await world.live()
        except BaseException:
            holder.cancel()
            raise


@scenario()
async def shutdown_that_takes_too_long(world: World) -> None:
    """
    A supervisor is left while a clean-up hangs; it does not wait longer than it may.
    """

    async def hang() -> None:
        with world.releasing("hanging"):
            await asyncio.sleep(1000)

    with suppress(ExceptionGroup):
        async with Supervisor(default=False, shutdown_timeout=2) as supervisor:
            world.keep_slowly(await supervisor.open("a"), "a")
            session = await supervisor.open("b")
            world.keep_slowly(session, "b")
            session.push_async_callback(hang)
            world.take("hanging")
            await world.live(0.1)


@scenario()
async def host_that_is_cancelled(world: World) -> None:
    """
    The task that hosts a supervisor is cancelled, as a server's is, while sessions are in use.
    """

    async def serve() -> None:
        async with Supervisor(default=False) as supervisor:
            with beside(hold(world, supervisor, "a"), hold(world, supervisor, "b")):
                session = await supervisor.open("open")
                await session.enter_async_context(Grouped(world, "group"))
                started.set()
                await world.live(50)

    started = asyncio.Event()
    with beside(serve()) as (host,):
        await world.live(0.5)
        assert started.is_set() or host.done()
        host.cancel()
        await asyncio.wait([host])


class Started(asyncio.Event):
    """
    What a supervisor tells that it runs.
    """

    def started(self, value: object = None) -> None:
        """
        Take note of it.
        """
        self.set()


@scenario()
async def supervisor_that_is_run(world: World) -> None:
    """
    A supervisor runs in a task, as frameworks host it, until that is cancelled.
    """
    supervisor, status = Supervisor(default=False), Started()
    with beside(supervisor.run(task_status=status)) as (host,):
        with beside(status.wait()) as (started,):
            await asyncio.wait([host, started], return_when=asyncio.FIRST_COMPLETED)
        with beside(hold(world, supervisor, "a"), hold(world, supervisor, "b")) as users:
            await world.live(0.5)
            host.cancel()
            await asyncio.wait([host, *users])


@scenario()
async def closing_from_a_thread(world: World) -> None:
    """
    Sessions are closed by the call that threads use, whose effect comes a step later.
    """
    supervisor = world.supervisor
    session = await supervisor.open("open")
    world.keep_slowly(session, "open")
    with suppress(SessionError):
        async with supervisor.session("a") as session:
            world.keep_slowly(session, "a")
            supervisor.close_threadsafe("open")
            supervisor.close_threadsafe("nobody")
            await world.live(0.1)
            supervisor.close_threadsafe("a")
            await world.live(50)
