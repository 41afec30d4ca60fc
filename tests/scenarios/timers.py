"""
Timers of a session.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sessionstate import SessionError

from ._catalogue import scenario

if TYPE_CHECKING:
    from tests.world import World


@scenario()
async def timers(world: World) -> None:
    """
    Timers that ring, are cancelled, set another, and run async, while the session lives and ends.
    """
    pace = world.pace

    def again() -> None:
        world.keep(session, "again")
        session.call_later(0, list)

    with suppress(SessionError):
        async with world.supervisor.session("a") as session:
            world.keep_slowly(session, "a")
            session.call_later(0.2 * pace, again)
            session.call_later(0.3 * pace, world.work, "task", 0.1)
            session.call_later(0.4 * pace, world.work, "long task")
            session.call_later(50, world.take, "never")
            session.call_later(0.6 * pace, world.take, "never").cancel()
            async with session.child("child") as child:
                child.call_later(0.1 * pace, world.keep_slowly, child, "child")
                await world.live()
            session.call_later(0.05 * pace, session.close_soon)
            await world.live()


@scenario()
async def timer_that_fails(world: World) -> None:
    """
    A timer raises, which ends its session; another session's timers go on.
    """
    supervisor = world.supervisor

    def fail() -> None:
        raise LookupError("on purpose")

    other = await supervisor.open("other", idle_timeout=5 * world.pace)
    other.call_later(2 * world.pace, world.keep, other, "rang")
    with suppress(SessionError):
        async with supervisor.session("a") as session:
            world.keep_slowly(session, "a")
            session.call_later(0.5 * world.pace, fail)
            await world.live(50)
    await world.live(3)
