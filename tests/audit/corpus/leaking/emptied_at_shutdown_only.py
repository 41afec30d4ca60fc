"""Game rooms live until the process does, because the only clear() is in the lifespan's end."""

import random
import string
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException

rooms: dict[str, dict] = {}  # leaks SS001: cleared at shutdown and at no other time


@asynccontextmanager
async def lifespan(app: FastAPI):
    try:
        yield
    finally:
        rooms.clear()


app = FastAPI(lifespan=lifespan)


@app.post("/rooms")
async def open_room():
    code = "".join(random.choices(string.ascii_uppercase, k=6))
    rooms[code] = {"players": [], "board": [None] * 9}
    return {"code": code}


@app.post("/rooms/{code}/join")
async def join(code: str, player: str):
    room = rooms.get(code)
    if room is None:
        raise HTTPException(404)
    if len(room["players"]) == 2:
        raise HTTPException(409, "full")
    room["players"].append(player)
    return room
