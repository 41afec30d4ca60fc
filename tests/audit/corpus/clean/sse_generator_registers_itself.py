"""
The generator registers and removes the queue itself, so an unread response registers nothing.
"""
import asyncio

from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

queues_by_thread = {}  # clean: inner set and outer key are both dropped in finally


async def stream(thread_id):
    q = asyncio.Queue()
    queues_by_thread.setdefault(thread_id, set()).add(q)
    try:
        while True:
            token = await q.get()
            if token is None:
                return
            yield f"data: {token}\n\n"
    finally:
        peers = queues_by_thread[thread_id]
        peers.discard(q)
        if not peers:
            del queues_by_thread[thread_id]


async def listen(request):
    thread_id = request.path_params["thread_id"]
    return StreamingResponse(stream(thread_id), media_type="text/event-stream")


async def say(request):
    for q in queues_by_thread.get(request.path_params["thread_id"], ()):
        q.put_nowait((await request.body()).decode())
    return StreamingResponse(iter(()), status_code=202)


app = Starlette(
    routes=[Route("/threads/{thread_id}", listen), Route("/threads/{thread_id}", say, methods=["POST"])]
)
