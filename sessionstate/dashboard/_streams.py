"""The stream of updates: a few at once, and none that outlives its client or the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from math import inf
from typing import Final

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ._answers import HEADERS, refusal
from ._requests import as_json
from ._source import Source

Allowed = Callable[[], Awaitable[bool]]

MOST: Final = 8
"""Streams at once."""
PING: Final = 15
"""Seconds between the comments that keep proxies from closing a quiet stream."""
PATIENCE: Final = 30.0
"""Seconds for a client to take what it was sent."""
PAUSE: Final = 1.0
"""Seconds at least from one update to the same again, which says that the loop is blocked."""
ASK: Final = 30.0
"""Seconds after which it is asked again whether a client may see the page: logins end."""
AGAIN: Final = "5"
"""Seconds after which one that was refused may ask again."""


class Streams:
    """
    The open streams of one app.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._open = 0
        self._closed = False
        self._waits: dict[anyio.CancelScope, None] = {}

    def close(self) -> None:
        """
        End all streams, and refuse new ones.
        """
        self._closed = True
        for wait in list(self._waits):
            wait.cancel()

    async def serve(self, allowed: Allowed, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Send updates until the client is gone, is *allowed* no more, or `close` was called.
        """
        request = Request(scope)
        if scope["method"] == "HEAD":
            await Response(media_type="text/event-stream")(scope, receive, send)
        elif self._closed:
            answer = refusal(request, 503, "this page is being stopped", {"retry-after": AGAIN})
            await answer(scope, receive, send)
        elif self._open >= MOST:
            message = f"{MOST} streams are open already, which is the most: close a tab"
            await refusal(request, 503, message, {"retry-after": AGAIN})(scope, receive, send)
        else:
            self._open += 1
            try:
                await self._stream(allowed, scope, receive, send)
            finally:
                self._open -= 1

    async def _stream(self, allowed: Allowed, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()

        async def send_in_time(message: Message) -> None:
            # A client that does not read would keep its place for ever.
            patience.deadline = loop.time() + PATIENCE
            await send(message)
            patience.deadline = inf

        response = EventSourceResponse(self._updates(allowed), ping=PING, headers=HEADERS)
        with anyio.CancelScope() as patience:
            await response(scope, receive, send_in_time)

    async def _updates(self, allowed: Allowed) -> AsyncIterator[ServerSentEvent]:
        loop = asyncio.get_running_loop()
        asked = loop.time()
        overview = await self._source.overview()
        while True:
            number = overview["number"]
            yield ServerSentEvent(as_json(overview), event="update", id=str(number))
            if self._closed:
                return
            if loop.time() - asked >= ASK:
                if not await allowed():
                    return
                asked = loop.time()
            earliest = loop.time() + PAUSE
            with anyio.CancelScope() as wait:
                self._waits[wait] = None
                try:
                    overview = await self._source.overview(number)
                    if overview["number"] <= number:  # there will be no newer one, or not soon
                        await anyio.sleep(max(0.0, earliest - loop.time()))
                finally:
                    del self._waits[wait]
            if wait.cancel_called:
                return
