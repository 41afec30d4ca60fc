"""A connection that fails to open stays registered, because __aexit__ is not called when __aenter__ raises."""

from __future__ import annotations

import asyncio


class Link:
    registry: dict[str, Link] = {}  # unseen SS002b: registered before the connect, which may fail

    def __init__(self, name: str, host: str, port: int):
        self.name = name
        self.address = (host, port)
        self.reader = self.writer = None

    async def __aenter__(self) -> Link:
        Link.registry[self.name] = self
        self.reader, self.writer = await asyncio.open_connection(*self.address)
        return self

    async def __aexit__(self, *exc: object) -> None:
        Link.registry.pop(self.name, None)
        self.writer.close()

    async def ask(self, line: str) -> str:
        self.writer.write(line.encode() + b"\n")
        return (await self.reader.readline()).decode()


async def probe(job) -> str:
    async with Link(job.id, job.host, job.port) as link:
        return await link.ask("STATUS")
