"""Connections to the page's own server: few at once, and none that says nothing."""

from __future__ import annotations

import asyncio
from typing import Final, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST: Final = 64
"""Connections at once: of more, each is closed as soon as it is made."""
SILENCE: Final = 10.0
"""Seconds for a new connection to send the head of a request."""


class Connection(H11Protocol):
    """
    One connection. The files that it takes are the whole program's.
    """

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Serve a new connection, or close it if there are too many.
        """
        super().connection_made(cast("asyncio.Transport", transport))
        if len(self.connections) > MOST:
            self.transport.abort()
        else:
            self._patience = self.loop.call_later(SILENCE, self._end_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        """
        Let go of a connection.
        """
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def _end_if_silent(self) -> None:
        if cast("object", self.cycle) is None:  # there was no request
            self.transport.abort()
