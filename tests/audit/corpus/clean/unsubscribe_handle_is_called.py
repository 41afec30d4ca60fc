"""
subscribe() returns the function that undoes it, and the caller calls it in its finally.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

Listener = Callable[[dict[str, Any]], None]


class Topic:
    def __init__(self) -> None:
        self._listeners: dict[int, Listener] = {}  # clean: the returned function pops
        self._next = 0

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self._next += 1
        subscription_id = self._next
        self._listeners[subscription_id] = listener

        def unsubscribe() -> None:
            self._listeners.pop(subscription_id, None)

        return unsubscribe

    def publish(self, event: dict[str, Any]) -> None:
        for listener in list(self._listeners.values()):
            listener(event)


topic = Topic()


async def long_poll(session_id: str, seconds: float = 25.0) -> dict[str, Any]:
    first: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def deliver(event: dict[str, Any]) -> None:
        if not first.done() and event.get("session_id") == session_id:
            first.set_result(event)

    unsubscribe = topic.subscribe(deliver)
    try:
        return await asyncio.wait_for(first, seconds)
    except TimeoutError:
        return {}
    finally:
        unsubscribe()
