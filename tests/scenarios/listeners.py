"""
Listeners on emitters of real libraries.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import blinker
from pyee.asyncio import AsyncIOEventEmitter

from sessionstate import Session, SessionError
from tests.world import beside

from ._catalogue import scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import World


class Counted:
    """
    An emitter that counts, in the book, who listens.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.emitter = AsyncIOEventEmitter()
        self.emitter.on("new_listener", lambda event, _: None)

    def listen(self, session: Session, event: str, handler: Callable[..., object]) -> None:
        """
        Have *session* listen, and write down the listening.
        """
        name = f"{session.id} on {event}"

        def subscribe(heard: object) -> None:
            self.emitter.on(event, heard)  # type: ignore[call-overload]
            self.world.take(name)

        def unsubscribe(heard: object) -> None:
            self.emitter.remove_listener(event, heard)  # type: ignore[arg-type]
            self.world.release(name)

        session.listen(subscribe=subscribe, unsubscribe=unsubscribe, handler=handler)


@scenario()
async def listeners(world: World) -> None:
    """
    Two sessions listen to a pyee emitter, one with an async handler, which emits as they end.
    """
    bus = Counted(world)
    heard: list[str] = []

    async def hear(word: str) -> None:
        await world.work("handler", 0.2)
        heard.append(word)

    async with world.supervisor.session("a") as a:
        bus.listen(a, "message", hear)
        world.keep_slowly(a, "a")
        async with world.supervisor.session("b") as b:
            bus.listen(b, "message", heard.append)
            b.callback(bus.emitter.emit, "message", "from b")
            await world.live(0.1)
            bus.emitter.emit("message", "one")
            await world.live(0.1)
        bus.emitter.emit("message", "two")
        await world.live(0.5)


@scenario()
async def listener_that_ends_its_session(world: World) -> None:
    """
    The event that was promised comes, and ends the session that listens for it, while it is held.
    """
    bus = Counted(world)
    with suppress(SessionError):
        async with world.supervisor.session("a") as session:
            world.keep_slowly(session, "a")
            bus.listen(session, "deleted", lambda: session.close_soon())  # noqa: PLW0108 - no result
            asyncio.get_running_loop().call_later(0.5 * world.pace, bus.emitter.emit, "deleted")
            await world.live(50)
    bus.emitter.emit("deleted")


@scenario()
async def receivers(world: World) -> None:
    """
    Sessions that are linked to a blinker signal, which is sent while they close.
    """
    signal = blinker.Signal()
    heard: list[str] = []

    async def use(id: str) -> None:
        with suppress(SessionError):
            async with world.supervisor.session(id) as session:
                world.keep_slowly(session, id)
                session.listen(signal, blinker.ANY, lambda sender: heard.append(id))
                await world.live(0.5)

    with beside(use("a"), use("b")):
        for _ in range(3):
            await world.live(0.2)
            signal.send("somebody")
    await world.live(0.5)
    assert not signal.receivers
