"""
A background task, which the start-up begins, drops each typing mark after a few seconds.
"""
import time

import socketio

sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
typing = {}  # clean: sweep_typing is a started background task


async def sweep_typing():
    while True:
        await sio.sleep(2)
        now = time.monotonic()
        for sid, (room, since) in list(typing.items()):
            if now - since > 6:
                typing.pop(sid, None)
                try:
                    await sio.emit("typing_end", {"sid": sid}, room=room)
                except Exception as error:
                    print("typing_end was not sent:", error)


async def startup():
    global sweeper
    sweeper = sio.start_background_task(sweep_typing)


async def shutdown():
    sweeper.cancel()


@sio.on("typing")
async def on_typing(sid, data):
    typing[sid] = (data["room"], time.monotonic())
    await sio.emit("typing_begin", {"sid": sid}, room=data["room"], skip_sid=sid)


app = socketio.ASGIApp(sio, on_startup=startup, on_shutdown=shutdown)
