"""The hub keeps the user's context of each link, because leave() empties two of its three maps."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager


class Hub:
    def __init__(self) -> None:
        self._writers: dict[str, asyncio.StreamWriter] = {}  # clean: leave() runs in a finally
        self._names: dict[str, str] = {}  # clean: leave() runs in a finally
        self._contexts: dict[str, dict] = {}  # leaks SS001: forgotten by leave()

    def join(self, link_id: str, writer: asyncio.StreamWriter, name: str) -> None:
        self._writers[link_id] = writer
        self._names[link_id] = name
        self._contexts[link_id] = {"name": name, "cwd": "/", "env": {}}

    def leave(self, link_id: str) -> None:
        self._writers.pop(link_id, None)
        self._names.pop(link_id, None)

    def context_of(self, link_id: str) -> dict | None:
        return self._contexts.get(link_id)

    @asynccontextmanager
    async def joined(self, link_id, writer, name):
        try:
            self.join(link_id, writer, name)
            yield self
        finally:
            self.leave(link_id)


hub = Hub()


async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    host, port = writer.get_extra_info("peername")[:2]
    async with hub.joined(f"{host}:{port}", writer, host):
        async for line in reader:
            writer.write(line)
            await writer.drain()
