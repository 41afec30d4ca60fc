"""A chat client stays connected for each room that was ever asked for, because the asynchronous cache never lets one go."""

import aiohttp
from async_lru import alru_cache

ENDPOINTS = {"eu": "https://eu.chat.example", "us": "https://us.chat.example"}  # clean: two regions


class RoomClient:
    def __init__(self, http: aiohttp.ClientSession, room_id: str):
        self.http = http
        self.room_id = room_id

    async def post(self, text):
        async with self.http.post("/post", json={"room": self.room_id, "text": text}) as answer:
            answer.raise_for_status()


@alru_cache(maxsize=None)  # leaks SS003: one HTTP session for each room
async def client_for(room_id: str, region: str = "eu") -> RoomClient:
    http = aiohttp.ClientSession(ENDPOINTS[region])
    await http.get("/hello", params={"room": room_id})
    return RoomClient(http, room_id)


async def on_command(event):
    client = await client_for(event.room_id, event.region)
    await client.post(f"{event.author} says {event.text}")
