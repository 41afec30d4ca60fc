"""
A terminal over a websocket.
"""

from __future__ import annotations

import websockets

from .manager import SessionManager

manager = SessionManager()


async def terminal(ws) -> None:
    session = manager.open()
    try:
        async for data in ws:
            session.feed(data if isinstance(data, bytes) else data.encode())
            await ws.send(bytes(session.scrollback[-80:]))
    finally:
        manager.sessions.pop(session.id, None)


async def main() -> None:
    async with websockets.serve(terminal, "localhost", 7681) as server:
        await server.serve_forever()
