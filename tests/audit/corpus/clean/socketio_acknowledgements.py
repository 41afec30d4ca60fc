"""
The future of an acknowledgement is popped by the emitter, whether the browser answers or not.
"""

import asyncio
import uuid

import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio)
awaiting = {}  # clean: popped in the finally of confirm()


async def confirm(sid, text):
    ticket = uuid.uuid4().hex
    fut = asyncio.get_running_loop().create_future()
    awaiting[ticket] = fut
    try:
        await sio.emit("confirm", {"ticket": ticket, "text": text}, to=sid)
        return await asyncio.wait_for(fut, 20)
    finally:
        awaiting.pop(ticket, None)


@sio.event
async def confirmed(sid, data):
    fut = awaiting.get(data["ticket"])
    if fut and not fut.done():
        fut.set_result(bool(data["yes"]))


@sio.event
async def remove_item(sid, data):
    try:
        sure = await confirm(sid, f"Remove {data['item']}?")
    except asyncio.TimeoutError:
        sure = False
    return {"removed": sure}
