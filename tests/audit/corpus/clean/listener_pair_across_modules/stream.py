"""
Server-sent events for one session.
"""
import asyncio

from sse_starlette.sse import EventSourceResponse

from feed import feed


async def events(session_id):
    q = asyncio.Queue(maxsize=200)
    loop = asyncio.get_running_loop()

    def listener(item):
        if item["session_id"] == session_id and not q.full():
            loop.call_soon_threadsafe(q.put_nowait, item)

    feed.add_listener(listener)
    try:
        while True:
            yield {"data": await q.get()}
    finally:
        feed.remove_listener(listener)


async def endpoint(request):
    return EventSourceResponse(events(request.path_params["session_id"]))
