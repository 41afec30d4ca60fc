"""Cursors of departed editors stay on the page, because on_disconnect lacks the decorator that would make it a handler."""

import socketio

sio = socketio.AsyncServer()
cursors: dict[str, tuple[int, int]] = {}  # leaks SS002d: on_disconnect is a plain function that nobody calls
palette = ["red", "green", "blue"]  # clean: constant


def colour(sid: str) -> str:
    return palette[hash(sid) % len(palette)]


@sio.on("connect")
async def on_connect(sid, environ):
    await sio.emit("cursors", cursors, to=sid)


@sio.on("move")
async def on_move(sid, xy):
    cursors[sid] = tuple(xy)
    await sio.emit("cursor", {"who": sid, "at": xy, "colour": colour(sid)}, skip_sid=sid)


async def on_disconnect(sid):
    cursors.pop(sid, None)
    await sio.emit("gone", sid)
