"""
The ticker, which the lifespan starts, rebuilds the map each half minute without the silent users.
"""

import asyncio
import contextlib
import time

from fastapi import FastAPI


class Presence:
    def __init__(self, silence: float = 90.0) -> None:
        self.silence = silence
        self.last_beat: dict[str, float] = {}  # clean: rebuilt without the old by a started ticker

    def beat(self, user_id: str) -> None:
        self.last_beat[user_id] = time.monotonic()

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(30)
            limit = time.monotonic() - self.silence
            self.last_beat = {user: at for user, at in self.last_beat.items() if at > limit}


presence = Presence()


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI):
    ticker = asyncio.create_task(presence.tick())
    try:
        yield
    finally:
        ticker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticker


app = FastAPI(lifespan=lifespan)


@app.post("/beat/{user_id}")
async def post_beat(user_id: str) -> dict[str, int]:
    presence.beat(user_id)
    return {"online": len(presence.last_beat)}
