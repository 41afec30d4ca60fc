"""
The types of the containers; checked by mypy and pyright, never run.
"""

from collections.abc import Iterator, MutableMapping
from datetime import datetime, timedelta
from typing import assert_type

from sessionstate import (
    EvictionCause,
    ExpiringMap,
    LRUCache,
    ReplayGuard,
    Session,
    Supervisor,
)


class Agent:
    """A value that is nothing special."""


async def load() -> Agent:
    """Make a value."""
    return Agent()


async def expiring(supervisor: Supervisor, s: Session) -> None:
    """A map gives back what was put in."""

    def closed(key: str, value: Agent, cause: EvictionCause) -> None:
        assert_type(cause.automatic, bool)

    agents = ExpiringMap[str, Agent](ttl=60, idle=timedelta(minutes=5), on_evict=closed)
    assert_type(agents, ExpiringMap[str, Agent])
    assert_type(
        ExpiringMap[int, bytes](max_weight=9, weigher=lambda _, v: len(v)).peek(1), bytes | None
    )
    ExpiringMap[str, int](supervisor=supervisor)
    ExpiringMap[str, int](session=s)

    agents["a"] = Agent()
    agents.set("a", Agent(), ttl=5, idle=None)
    assert_type(agents["a"], Agent)
    assert_type(agents.get("a"), Agent | None)
    assert_type(agents.get("a", None), Agent | None)
    assert_type(agents.get("a", 0), Agent | int)
    assert_type(agents.peek("a"), Agent | None)
    assert_type(agents.peek("a", 0), Agent | int)
    assert_type(agents.setdefault("a", Agent()), Agent)
    assert_type(agents.pop("a"), Agent)
    assert_type(agents.pop("a", None), Agent | None)
    assert_type(agents.popitem(), tuple[str, Agent])
    assert_type(agents.touch("a"), bool)
    assert_type(agents.ttl("a"), float | None)
    assert_type(agents.expire(), int)
    assert_type(iter(agents), Iterator[str])
    assert_type(list(agents.items()), list[tuple[str, Agent]])
    assert_type(await agents.get_or_create("a", load), Agent)


async def recent() -> None:
    """A cache gives back what was put in."""
    cache = LRUCache[str, Agent](maxsize=100)
    cache["a"] = Agent()
    assert_type(cache["a"], Agent)
    assert_type(cache.get("a"), Agent | None)
    assert_type(cache.peek("a", 0), Agent | int)
    assert_type(cache.pop("a", None), Agent | None)
    assert_type(list(cache.values()), list[Agent])
    assert_type(await cache.get_or_create("a", load), Agent)


async def guarded(now: datetime) -> None:
    """A guard answers with a bool, in each of its ways."""
    guard = ReplayGuard(window=300, skew=timedelta(minutes=1), maxsize=1_000)
    assert_type(guard.first_seen(("sender", 1)), bool)
    assert_type(guard.first_seen("a", signed_at=now), bool)
    with guard.claim("a", signed_at=1.5) as first:
        assert_type(first, bool)
    async with guard.claim("a") as first_too:
        assert_type(first_too, bool)


def was_a_dict() -> None:
    """Code that took the dict takes the containers."""

    def takes(agents: MutableMapping[str, Agent]) -> None:
        agents["a"] = Agent()

    takes(ExpiringMap[str, Agent](ttl=5))
    takes(LRUCache[str, Agent](maxsize=5))


def refused(agents: ExpiringMap[str, Agent]) -> None:
    """What is wrong is found before it runs."""
    agents["a"] = 1  # type: ignore[assignment]
    agents[1] = Agent()  # type: ignore[index]
    ExpiringMap[str, Agent](5)  # type: ignore[call-arg]
    LRUCache[str, Agent]()  # type: ignore[call-arg]
    ReplayGuard()  # type: ignore[call-arg]
    ReplayGuard(window=5).first_seen([])  # type: ignore[arg-type]
