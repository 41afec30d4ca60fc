"""The heartbeat of a closed socket goes on, because the endpoint starts it and keeps nothing to cancel it by."""

import asyncio

from starlette.websockets import WebSocket

online: set[str] = set()  # clean: discarded in the finally


async def heartbeat(ws: WebSocket, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        try:
            await ws.send_json({"type": "heartbeat"})
        except RuntimeError:
            continue


async def endpoint(ws: WebSocket) -> None:
    await ws.accept()
    user = ws.user.display_name
    asyncio.create_task(heartbeat(ws, 15))  # leaks SS006: nobody owns it or cancels it
    online.add(user)
    try:
        async for message in ws.iter_json():
            await ws.send_json({"echo": message, "online": len(online)})
    finally:
        online.discard(user)
