"""
Hooks of the supervisor, and the stream of its events.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionstate import CloseReason, Session, SessionError
from tests.world import beside

from ._catalogue import scenario

if TYPE_CHECKING:
    from tests.world import World


@scenario()
async def hooks(world: World) -> None:
    """
    Hooks, sync and async, see each life once.
    """
    supervisor = world.supervisor

    @supervisor.on_open
    async def opened(session: Session) -> None:
        world.take(f"{session.id} {session.incarnation}")
        await asyncio.sleep(0)
        world.keep_slowly(session, "from the hook")

    @supervisor.on_close
    async def closed(session: Session, reason: CloseReason) -> None:
        await world.release_slowly(f"{session.id} {session.incarnation}")

    for _ in range(2):
        async with supervisor.session("a") as session:
            world.keep(session, "callback")
            await world.live(0.1)


@scenario(raises=(ExceptionGroup,))
async def hook_that_fails(world: World) -> None:
    """
    An opening hook refuses one id, a closing one fails for another, and the errors are told.
    """
    supervisor = world.supervisor
    told: list[str] = []

    @supervisor.on_open
    async def opened(session: Session) -> None:
        world.keep_slowly(session, session.id)
        await asyncio.sleep(0)
        if session.id == "refused":
            raise LookupError("on purpose")

    @supervisor.on_close
    def closed(session: Session, reason: CloseReason) -> None:
        if session.id == "failing":
            raise LookupError("on purpose")

    @supervisor.on_error
    async def note(session: Session, error: BaseException, where: str) -> None:
        await asyncio.sleep(0)
        told.append(where)

    with suppress(LookupError):
        async with supervisor.session("refused"):
            await world.live()
    with suppress(ExceptionGroup):
        async with supervisor.session("failing"):
            await world.live(0.1)


@scenario()
async def ended_by_a_hook(world: World) -> None:
    """
    A session is ended while its opening hooks run.
    """
    supervisor = world.supervisor

    @supervisor.on_open
    async def opened(session: Session) -> None:
        world.keep_slowly(session, session.id)
        await world.live(0.1)
        session.close_soon()
        await world.live(0.1)

    with suppress(SessionError):
        async with supervisor.session("a"):
            await world.live()
    with suppress(SessionError):
        await supervisor.open("b")


@scenario()
async def events(world: World) -> None:
    """
    Somebody reads the events of sessions that come and go, and stops.
    """
    supervisor = world.supervisor

    async def read() -> None:
        world.take("reader")
        try:
            async for _ in supervisor.events():
                await asyncio.sleep(0.01 * world.pace)
        finally:
            world.release("reader")

    with beside(read(), read()):
        for number in range(3):
            async with supervisor.session(str(number)) as session:
                world.keep_slowly(session, "callback")
                await world.live(0.1)
