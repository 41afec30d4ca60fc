"""Idle sandboxes are no longer reaped after one failed ping, because the exception leaves the loop for good."""

import asyncio
import time
from dataclasses import dataclass


@dataclass
class Sandbox:
    id: str
    client: object
    last_used: float


sandboxes: dict[str, Sandbox] = {}  # unseen SS002b: ping() may raise, and ends the only loop that removes


async def sandbox_for(user_id: str, provider) -> Sandbox:
    box = sandboxes.get(user_id)
    if box is None:
        box = sandboxes[user_id] = Sandbox(user_id, await provider.boot(), 0.0)
    box.last_used = time.monotonic()
    return box


async def reaper(idle: float = 900.0) -> None:
    while True:
        await asyncio.sleep(30)
        for user_id, box in list(sandboxes.items()):
            alive = await box.client.ping()
            if not alive or time.monotonic() - box.last_used > idle:
                del sandboxes[user_id]


async def main(provider, server) -> None:
    async with server:
        reaping = asyncio.create_task(reaper())
        try:
            await server.serve_forever(lambda uid: sandbox_for(uid, provider))
        finally:
            reaping.cancel()
