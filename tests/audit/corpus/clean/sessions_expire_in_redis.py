"""
Sessions are kept outside of the process, with an expiry that the server of the store enforces.
"""
from __future__ import annotations

import json
import secrets

import redis.asyncio as redis
from fastapi import Cookie, FastAPI, HTTPException, Response

app = FastAPI()
store = redis.Redis(host="redis", decode_responses=True)  # clean: each key is set with ex=


@app.post("/sessions")
async def create(response: Response, user: str) -> dict[str, str]:
    session_id = secrets.token_urlsafe(24)
    await store.set(f"session:{session_id}", json.dumps({"user": user}), ex=1800)
    response.set_cookie("sid", session_id, httponly=True)
    return {"user": user}


@app.get("/sessions/me")
async def current(sid: str = Cookie()) -> dict[str, str]:
    raw = await store.getex(f"session:{sid}", ex=1800)
    if raw is None:
        raise HTTPException(401)
    return json.loads(raw)
