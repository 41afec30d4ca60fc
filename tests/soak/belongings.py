"""
What the sessions of a soak own: half of them nothing, the others one thing of each kind there is.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from sessionstate import ExpiringMap, Session, SessionMap, SessionVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LONG: Final = 300.0  # seconds after which every deadline has come

OWNING: Final = {
    "nothing": 50,
    "value": 20,
    "callback": 12,
    "several": 4,
    "async_callback": 3,
    "hosted": 3,
    "task": 3,
    "timer": 2,
    "listener": 2,
    "load": 1,
}
"""What sessions own, of a hundred."""


class Bus:
    """
    An emitter that lives as long as the program.
    """

    def __init__(self) -> None:
        self.heard: dict[object, None] = {}

    def on(self, event: object, handler: object) -> None:
        """
        Remember *handler*.
        """
        self.heard[handler] = None

    def off(self, event: object, handler: object) -> None:
        """
        Forget *handler*.
        """
        del self.heard[handler]


class Belongings:
    """
    The half of the traffic that gives things to sessions.
    """

    agents: SessionMap[list[str]]
    notes: SessionVar[dict[str, str]]
    bus: Bus

    async def own_nothing(self, session: Session) -> None:
        """
        Own nothing, as most do.
        """

    async def own_value(self, session: Session) -> None:
        """
        Own values in a map, in a variable and in `vars`.
        """
        self.agents[session] = [session.id]
        self.notes.set({"id": session.id}, session)
        session.vars["bytes"] = bytes(100)

    async def own_callback(self, session: Session) -> None:
        """
        Own a promise, of two.
        """
        session.callback(nothing, session.id)
        session.callback(nothing).cancel()

    async def own_several(self, session: Session) -> None:
        """
        Own two things of different kinds, and a container.
        """
        await self.own_value(session)
        await self.own_callback(session)
        entries = ExpiringMap[str, str](ttl=2, session=session)
        entries[session.id] = session.id
        session.callback(nothing, entries)

    async def own_async_callback(self, session: Session) -> None:
        """
        Own an async promise.
        """
        session.push_async_callback(asyncio.sleep, 0)

    async def own_hosted(self, session: Session) -> None:
        """
        Own an async context, in a task of its own.
        """
        await session.enter_async_context(_context())

    async def own_task(self, session: Session) -> None:
        """
        Own a task that does not end, and one that does.
        """
        session.start_soon(asyncio.sleep, LONG)
        session.start_soon(asyncio.sleep, 0)

    async def own_timer(self, session: Session) -> None:
        """
        Own a timer that may ring, and one that does not.
        """
        session.call_later(2, nothing)
        session.call_later(LONG, nothing, session)

    async def own_listener(self, session: Session) -> None:
        """
        Own a registration with the bus.
        """
        session.listen(self.bus, "event", nothing)

    async def own_load(self, session: Session) -> None:
        """
        Own what was loaded.
        """

        async def make() -> str:
            return session.id

        await session.get_or_create("key", make)


def nothing(*_: object) -> None:
    """
    Do nothing.
    """


@asynccontextmanager
async def _context() -> AsyncIterator[None]:
    yield
