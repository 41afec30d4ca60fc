"""
Memory that is short.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sessionstate import MemoryGuard, SessionError, Supervisor
from tests.machine import MIB, Machine

from ._catalogue import scenario

if TYPE_CHECKING:
    from tests.world import World


@scenario()
async def shedding(world: World) -> None:
    """
    Idle sessions are shed while memory is short; the one that is held stays.
    """
    async with Supervisor(default=False) as supervisor:
        machine = Machine(supervisor)
        guard = MemoryGuard(
            high=5 * MIB,
            low=3 * MIB,
            interval=world.pace,
            resident=machine,
            supervisor=supervisor,
        )
        async with guard, supervisor.session("held") as held:
            world.keep_slowly(held, "held")
            for number in range(6):
                world.keep_slowly(await supervisor.open(str(number)), str(number))
            await world.live(4)
            assert "held" in supervisor
            assert len(supervisor) <= 3


@scenario()
async def shedding_what_others_wait_for(world: World) -> None:
    """
    A session is shed as somebody opens it again, by a guard that belongs to the supervisor.
    """
    used = [0]
    guard = MemoryGuard(
        high=5 * MIB, low=3 * MIB, interval=0.5 * world.pace, resident=lambda: used[0]
    )
    async with Supervisor(default=False, memory_guard=guard) as supervisor:
        for id in "ab":
            world.keep_slowly(await supervisor.open(id), id)
        used[0] = 6 * MIB
        await world.live(0.5)
        with suppress(SessionError):
            async with supervisor.session("a") as session:
                world.keep_slowly(session, "a")
                used[0] = MIB
                await world.live()
