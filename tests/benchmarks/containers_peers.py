"""
What is compared: one adapter each, with the operations as its users write them.

Every peer holds up to *n* entries for half an hour. An operation works off a list of keys in one
call, so that the loop around it is the same for all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from importlib import import_module
from importlib.metadata import version
from typing import Any

from sessionstate import ExpiringMap, LRUCache

TTL = 1800

Operation = Callable[[Sequence[str]], Awaitable[None]]
Peer = dict[str, Operation]

Mix = Sequence[tuple[str, bool]]
"""Keys, each with whether it is written."""


def mapping(made: Any, touch: Callable[[str], object] | None = None) -> Peer:
    """
    The operations of what behaves like a dict.
    """

    async def write(keys: Sequence[str]) -> None:
        for key in keys:
            made[key] = 1

    async def get(keys: Sequence[str]) -> None:
        get = made.get
        for key in keys:
            get(key)

    async def touched(keys: Sequence[str]) -> None:
        for key in keys:
            touch(key)  # type: ignore[misc]

    async def delete(keys: Sequence[str]) -> None:
        for key in keys:
            del made[key]

    async def mix(keys: Any) -> None:
        get = made.get
        for key, writes in keys:
            if writes:
                made[key] = 1
            else:
                get(key)

    return {
        "set": write,
        "get": get,
        "touch": touched if touch else write,
        "delete": delete,
        "mix": mix,
    }


def methods(made: Any, *, delete: str = "delete") -> Peer:
    """
    The operations of what has ``get``, ``set`` and ``delete``.
    """
    remove = getattr(made, delete)

    async def write(keys: Sequence[str]) -> None:
        put = made.set
        for key in keys:
            put(key, 1)

    async def get(keys: Sequence[str]) -> None:
        get = made.get
        for key in keys:
            get(key)

    async def deleted(keys: Sequence[str]) -> None:
        for key in keys:
            remove(key)

    async def mix(keys: Any) -> None:
        get, put = made.get, made.set
        for key, writes in keys:
            if writes:
                put(key, 1)
            else:
                get(key)

    return {"set": write, "get": get, "touch": write, "delete": deleted, "mix": mix}


def coroutines(made: Any, touch: Callable[[str], Awaitable[object]], **options: Any) -> Peer:
    """
    The operations of what is awaited.
    """

    async def write(keys: Sequence[str]) -> None:
        put = made.set
        for key in keys:
            await put(key, 1, **options)

    async def get(keys: Sequence[str]) -> None:
        get = made.get
        for key in keys:
            await get(key)

    async def touched(keys: Sequence[str]) -> None:
        for key in keys:
            await touch(key)

    async def delete(keys: Sequence[str]) -> None:
        delete = made.delete
        for key in keys:
            await delete(key)

    async def mix(keys: Any) -> None:
        get, put = made.get, made.set
        for key, writes in keys:
            if writes:
                await put(key, 1, **options)
            else:
                await get(key)

    return {"set": write, "get": get, "touch": touched, "delete": delete, "mix": mix}


def ours(n: int) -> Peer:
    """
    ExpiringMap, bounded as the others are, with both durations: what a read must do is the most.
    """
    entries: ExpiringMap[str, int] = ExpiringMap(ttl=2 * TTL, idle=TTL, maxsize=n)
    return mapping(entries, entries.touch)


def ours_without_idle(n: int) -> Peer:
    """
    ExpiringMap with a *ttl* only, as most of the others have.
    """
    entries: ExpiringMap[str, int] = ExpiringMap(ttl=TTL, maxsize=n)
    return mapping(entries, entries.touch)


def theine(n: int) -> Peer:
    """
    Give theine's cache, whose time to live is named at each write.
    """
    made = import_module("theine").Cache(n)
    half_an_hour = timedelta(seconds=TTL)
    put = made.set

    class WithTTL:
        get, delete = made.get, made.delete

        @staticmethod
        def set(key: str, value: int) -> None:
            put(key, value, half_an_hour)

    return methods(WithTTL)


def aiocache(n: int) -> Peer:
    """
    Give aiocache's memory backend, which has no bound.
    """
    made = import_module("aiocache").Cache(import_module("aiocache").Cache.MEMORY)
    return coroutines(made, lambda key: made.expire(key, TTL), ttl=TTL)


def cashews(n: int) -> Peer:
    """
    Give cashews' memory backend, without the layers above it.
    """
    made = import_module("cashews.backends.memory").Memory(size=n)
    return coroutines(made, lambda key: made.expire(key, TTL), expire=TTL)


EXPIRING: dict[str, Callable[[int], Peer]] = {
    "ExpiringMap": ours_without_idle,
    "ExpiringMap, idle too": ours,
    "dict": lambda n: mapping({}),
    "cachetools": lambda n: mapping(import_module("cachetools").TTLCache(n, TTL)),
    "expiringdict": lambda n: mapping(import_module("expiringdict").ExpiringDict(n, TTL)),
    "cacheout": lambda n: methods(import_module("cacheout").LRUCache(maxsize=n, ttl=TTL)),
    "theine": theine,
    "aiocache": aiocache,
    "cashews": cashews,
    "cachebox": lambda n: mapping(
        import_module("cachebox").VTTLCache(n, ttl=timedelta(seconds=TTL))
    ),
}
LRU: dict[str, Callable[[int], Peer]] = {
    "LRUCache": lambda n: mapping(LRUCache[str, int](maxsize=n)),
    "dict": lambda n: mapping({}),
    "cachetools": lambda n: mapping(import_module("cachetools").LRUCache(n)),
    "pylru": lambda n: mapping(import_module("pylru").lrucache(n)),
}
SLOW = {"cacheout"}
"""A write of these looks at every entry: left out at 100,000."""


def present(peers: dict[str, Callable[[int], Peer]]) -> tuple[list[str], list[str]]:
    """
    The names of the peers that can be imported, and of those that cannot.
    """
    here: list[str] = []
    missing: list[str] = []
    for name, make in peers.items():
        try:
            make(10)
        except ImportError:
            missing.append(name)
        else:
            here.append(name)
    return here, missing


def versions(names: Sequence[str]) -> dict[str, str]:
    """
    The releases that were measured.
    """
    return {name: version(name) for name in names if name != "dict" and name[0].islower()}
