"""A half-open connection keeps its viewer in the set, because the closing handshake that never ends stands before the discard."""

from aiohttp import WSMsgType, web

VIEWERS = web.AppKey("viewers", set)


async def view(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(heartbeat=None)
    await ws.prepare(request)
    request.app[VIEWERS].add(ws)
    try:
        async for msg in ws:
            if msg.type is WSMsgType.TEXT:
                for viewer in set(request.app[VIEWERS]):
                    await viewer.send_str(msg.data)
    finally:
        await ws.close()
        request.app[VIEWERS].discard(ws)
    return ws


def make() -> web.Application:
    app = web.Application()
    app[VIEWERS] = set()  # leaks SS002b: close() is awaited first, and may be cancelled or never return
    app.router.add_get("/view", view)
    return app
