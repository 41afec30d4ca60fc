"""
The server.
"""

from __future__ import annotations

import asyncio

from .sessions import Sessions
from .transport import LineTransport

sessions = Sessions()


async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    transport = LineTransport(reader, writer)
    async with sessions.open() as session:
        async for frame in transport.frames():
            if frame.get("method") == "notifications/progress":
                session.progress[frame["params"]["progressToken"]] = frame["params"]["progress"]
            else:
                await transport.send({"id": frame["id"], "result": {"sessions": sessions.count()}})


async def main() -> None:
    async with await asyncio.start_server(connected, "127.0.0.1", 8931) as server:
        await server.serve_forever()
