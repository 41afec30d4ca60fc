"""
The application's lifespan starts a sweeper that deletes carts which nobody has touched for an hour.
"""

import asyncio
import logging
import time
from contextlib import asynccontextmanager

from fastapi import FastAPI

log = logging.getLogger(__name__)
IDLE = 3600
carts = {}  # clean: sweep() runs from start to stop and deletes the idle


async def sweep():
    while True:
        await asyncio.sleep(60)
        try:
            now = time.monotonic()
            for cart_id in [c for c, cart in carts.items() if now - cart["touched"] > IDLE]:
                del carts[cart_id]
        except Exception:
            log.exception("sweep failed, next try in a minute")


@asynccontextmanager
async def lifespan(_app):
    task = asyncio.create_task(sweep())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


app = FastAPI(lifespan=lifespan)


@app.post("/carts/{cart_id}/items")
async def add(cart_id: str, item: str):
    cart = carts.setdefault(cart_id, {"items": [], "touched": 0.0})
    cart["items"].append(item)
    cart["touched"] = time.monotonic()
    return cart["items"]
