"""
The cache has a size and a time to live, and drops the expired at each insertion.
"""

import httpx
from cachetools import TTLCache
from fastapi import FastAPI

app = FastAPI()
profiles: TTLCache[str, dict] = TTLCache(maxsize=2_000, ttl=300)  # clean: bounded in size and time


async def fetch(user_id: str) -> dict:
    async with httpx.AsyncClient(base_url="https://people.internal") as client:
        reply = await client.get(f"/users/{user_id}")
        reply.raise_for_status()
        return reply.json()


@app.get("/users/{user_id}")
async def profile(user_id: str) -> dict:
    if user_id not in profiles:
        profiles[user_id] = await fetch(user_id)
    return profiles.get(user_id, {})
