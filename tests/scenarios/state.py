"""
Maps and variables of sessions.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sessionstate import Session, SessionError, SessionMap, SessionVar, current_session

from ._catalogue import scenario

if TYPE_CHECKING:
    from tests.world import World


@scenario()
async def adoption(world: World) -> None:
    """
    A write opens a session that nobody holds; it expires, and is written to while it closes.
    """
    supervisor = world.supervisor
    agents = SessionMap[str]("agents", supervisor=supervisor, adopt=True)

    @supervisor.on_open
    async def opened(session: Session) -> None:
        world.keep_slowly(session, session.id)

    for id in ("a", "b"):
        agents[id] = "agent"
    await world.live(0.1)
    supervisor.close_soon("a")
    with suppress(SessionError):
        agents["a"] = "too early"
    await world.live(0.1)
    agents["a"] = "second life"
    await world.live(0.1)
    with suppress(SessionError):
        async with supervisor.attach("b", create=False):
            agents["b"] += "!"
            await world.live(0.1)


@scenario()
async def maps_and_variables(world: World) -> None:
    """
    Values are there for bodies, tasks and clean-up, and are all gone at the end.
    """
    agents = SessionMap[str]("agents", supervisor=world.supervisor)
    seen = SessionVar[list[str]]("seen", factory=list)

    async def stop() -> None:
        with world.releasing("agent"):
            assert agents[session] == "agent"
            seen.get().append(current_session().id)

    async def work() -> None:
        seen.get().append("task")
        await world.work("task")

    async with world.supervisor.session("a") as session:
        agents["a"] = "agent"
        session.push_async_callback(stop)
        world.take("agent")
        session.start_soon(work)
        await world.live(0.1)
        seen.get().append("body")
    assert "a" not in agents
