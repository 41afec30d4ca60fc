"""Counts requests, so that growth can be told per 1000 of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, cast

from sessionstate import Supervisor

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COUNTED: Final = ("http", "websocket")


class RequestCounter:
    """
    ASGI middleware that counts each request and each websocket with `Supervisor.count_request`.

    Args:
        app: The application around which it stands.
        supervisor: Whose requests they are.

    .. versionadded:: 0.1
    """

    def __init__(self, app: App, supervisor: Supervisor) -> None:
        if not isinstance(cast("object", supervisor), Supervisor):
            raise TypeError(
                f"requests are counted for a Supervisor, not {supervisor!r}: write "
                f"RequestCounter(app, supervisor)"
            )
        self._app = app
        self._supervisor = supervisor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in COUNTED:
            self._supervisor.count_request()
        await self._app(scope, receive, send)
