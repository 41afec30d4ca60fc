"""
The handler discards its queue from the application's set before it returns or raises.
"""
import asyncio
import json

from aiohttp import web

LISTENERS = web.AppKey("listeners", set)


async def events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    inbox: asyncio.Queue = asyncio.Queue(maxsize=100)
    request.app[LISTENERS].add(inbox)
    try:
        while True:
            event = await inbox.get()
            await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")
    finally:
        request.app[LISTENERS].discard(inbox)


async def publish(request: web.Request) -> web.Response:
    event = await request.json()
    for inbox in list(request.app[LISTENERS]):
        if not inbox.full():
            inbox.put_nowait(event)
    return web.Response(status=204)


def build() -> web.Application:
    app = web.Application()
    app[LISTENERS] = set()  # clean: discarded in the finally of events()
    app.router.add_get("/events", events)
    app.router.add_post("/publish", publish)
    return app
