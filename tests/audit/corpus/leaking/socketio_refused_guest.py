"""A refused guest stays in the table, because the server sends no disconnect for a connection that connect() turned away."""

import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio)

guests = {}  # unseen SS002a: written before connect() returns False, removed only in disconnect()


def allowed(environ, auth):
    return bool(auth) and auth.get("key") == environ.get("HTTP_X_KEY")


@sio.event
async def connect(sid, environ, auth):
    guests[sid] = {"ip": environ.get("REMOTE_ADDR"), "auth": auth}
    if not allowed(environ, auth):
        return False
    await sio.enter_room(sid, "lobby")


@sio.on("say")
async def say(sid, data):
    await sio.emit("said", {"from": guests[sid]["ip"], "text": data}, room="lobby", skip_sid=sid)


@sio.event
async def disconnect(sid):
    guests.pop(sid, None)
