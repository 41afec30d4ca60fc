"""
Containers that belong to a session or to a supervisor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sessionstate import (
    ExpiringMap,
    GuardFull,
    LRUCache,
    ReplayGuard,
    SessionError,
    Supervisor,
)
from tests.world import beside

from ._catalogue import scenario

if TYPE_CHECKING:
    from tests.world import World


def give_back(world: World) -> Callable[[str, object, object], None]:
    """
    Return what releases an entry's resource when it leaves its container.
    """
    return lambda key, value, cause: world.release(key)


def put(world: World, container: Any, key: str) -> None:
    """
    Store a resource that leaves with its entry.
    """
    container[key] = object()
    world.take(key)


@scenario()
async def map_of_a_session(world: World) -> None:
    """
    A session's map, whose entries expire, are replaced and deleted, and leave with the session.
    """
    async with world.supervisor.session("a") as session:
        entries = ExpiringMap[str, object](
            ttl=1 * world.pace, idle=5, maxsize=4, session=session, on_evict=give_back(world)
        )
        world.keep_slowly(session, "below")
        for key in ("one", "two", "one", "three"):
            put(world, entries, key)
            await world.live(0.2)
        entries.pop("two", None)  # which has expired, where time is real and short
        await world.live(1)
        put(world, entries, "at last")
        entries._check()


@scenario()
async def map_of_a_supervisor(world: World) -> None:
    """
    A supervisor's map, written by sessions, empties itself in time, and at the end.
    """
    async with Supervisor(default=False) as supervisor:
        entries = ExpiringMap[str, object](
            ttl=1 * world.pace, supervisor=supervisor, on_evict=give_back(world)
        )
        for id in ("a", "b"):
            async with supervisor.session(id) as session:
                world.keep(session, f"session {id}")
                put(world, entries, id)
                await world.live(0.8)
        put(world, entries, "long")
        entries._check()


@scenario()
async def cache_of_a_session(world: World) -> None:
    """
    A session's cache, which is full, with loads that others wait for as it ends.
    """

    async def load() -> object:
        await world.work("load", 0.3)
        return object()

    async def ask(key: str) -> None:
        with suppress(SessionError):
            await cache.get_or_create(key, load)

    async with world.supervisor.session("a") as session:
        cache = LRUCache[str, object](maxsize=2, session=session)
        for key in ("one", "two", "three"):
            cache[key] = object()
        with beside(ask("four"), ask("four"), ask("five")):
            await world.live(0.2)
            with suppress(SessionError):
                await cache.get_or_create("four", load)
            await world.live(0.05)
        world.keep_slowly(session, "a")


@scenario()
async def cache_with_a_hook(world: World) -> None:
    """
    A supervisor's cache gives back what it lets go of, also when a load fails or is overtaken.
    """

    async def load() -> object:
        await world.live(0.3)
        world.take("loaded")
        return object()

    async def fail() -> object:
        await world.live(0.1)
        raise LookupError("on purpose")

    async def ask() -> None:
        with suppress(SessionError):
            await cache.get_or_create("loaded", load)

    def release(key: str, value: object, cause: object) -> None:
        world.release(key)

    async with Supervisor(default=False) as supervisor:
        cache = LRUCache[str, object](maxsize=2, supervisor=supervisor, on_evict=release)
        with beside(ask(), ask()):
            with suppress(LookupError):
                await cache.get_or_create("failed", fail)
            put(world, cache, "one")
            await world.live(0.3)
            put(world, cache, "two")
            put(world, cache, "three")
            await world.live(0.1)


@scenario()
async def map_that_loads(world: World) -> None:
    """
    Loads into an expiring map of a session: shared, failing, overtaken by a write, cut by its end.
    """

    async def load() -> str:
        await world.work("load", 0.3)
        return "loaded"

    async def ask(key: str) -> None:
        with suppress(SessionError):
            await entries.get_or_create(key, load)

    session = await world.supervisor.open("a")
    world.keep_slowly(session, "a")
    entries = ExpiringMap[str, str](ttl=world.pace, session=session)
    with beside(ask("one"), ask("one"), ask("two")):
        await world.live(0.1)
        entries["two"] = "written"
        await world.live(0.3)
        with beside(ask("late"), ask("late")):
            await world.live(0.1)
            await session.aclose()


@scenario(raises=(GuardFull,))
async def replay_guard(world: World) -> None:
    """
    Webhooks come twice and are claimed; a claim that fails, or is cancelled, is forgotten.
    """
    guard = ReplayGuard(window=5 * world.pace, maxsize=4, supervisor=world.supervisor)
    handled: list[str] = []

    async def handle(key: str) -> None:
        async with guard.claim(key) as first:
            if first:
                world.take(key)
                try:
                    await world.live(0.2)
                finally:
                    world.release(key)
                handled.append(key)

    async with world.supervisor.session("a") as session:
        world.keep_slowly(session, "a")
        with beside(handle("x"), handle("x"), handle("y")) as handlers:
            await world.live(0.1)
            await handle("x")
            await asyncio.wait(handlers)
        if "x" not in handled:
            assert "x" not in guard
            await handle("x")
        assert handled.count("x") == 1
        assert not guard.first_seen("x")
        guard._check()


@scenario(raises=(GuardFull,))
async def replay_guard_of_a_session(world: World) -> None:
    """
    A session's guard forgets in time, refuses when full, and knows nothing after the end.
    """
    async with world.supervisor.session("a") as session:
        guard = ReplayGuard(window=world.pace, maxsize=2, session=session)
        world.keep_slowly(session, "a")
        assert guard.first_seen("one")
        await world.live(0.5)
        assert guard.first_seen("two")
        with suppress(GuardFull):
            guard.first_seen("three")
        await world.live(0.6)
        assert guard.first_seen("one")
        guard._check()
    assert len(guard) == 0
