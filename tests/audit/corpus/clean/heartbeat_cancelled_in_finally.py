"""
The heartbeat of a socket is kept in a local variable, and cancelled and awaited in the finally.
"""

import asyncio
import contextlib

from starlette.websockets import WebSocket, WebSocketDisconnect


async def heartbeat(ws: WebSocket, session_id: str) -> None:
    while True:
        await asyncio.sleep(15)
        await ws.send_json({"type": "ping", "session_id": session_id})


async def endpoint(ws: WebSocket) -> None:
    await ws.accept()
    session_id = ws.query_params["session_id"]
    beating = asyncio.create_task(heartbeat(ws, session_id))  # clean: cancelled in finally
    try:
        while True:
            await ws.send_text((await ws.receive_text())[::-1])
    except WebSocketDisconnect:
        pass
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError, RuntimeError):
            await beating
