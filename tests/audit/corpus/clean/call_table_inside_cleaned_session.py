"""
The calls hang on a session, and the table of sessions drops the session in a finally.
"""
from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field


@dataclass
class Session:
    session_id: str
    writer: asyncio.StreamWriter
    calls: dict[int, str] = field(default_factory=dict)  # clean: goes with its session
    cancelled: set[int] = field(default_factory=set)  # clean: goes with its session


SESSIONS: dict[str, Session] = {}  # clean: popped in the finally of on_connect


async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    hello = json.loads(await reader.readline())
    session = SESSIONS[hello["session_id"]] = Session(hello["session_id"], writer)
    try:
        async for line in reader:
            frame = json.loads(line)
            if frame["method"] == "cancel":
                session.cancelled.add(frame["id"])
            else:
                session.calls[frame["id"]] = frame["method"]
    finally:
        SESSIONS.pop(session.session_id, None)
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(on_connect, "localhost", 7777)
    await server.serve_forever()
