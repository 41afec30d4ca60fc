"""
The key is annotated as one of three literals, so there are three queues.
"""
from __future__ import annotations

import asyncio
from typing import Literal, TypeAlias

Lane: TypeAlias = Literal["fast", "bulk", "idle"]


class Lanes:
    def __init__(self) -> None:
        self._by_lane: dict[Lane, asyncio.Queue[str]] = {}  # clean: Literal keys

    def _queue(self, lane: Lane) -> asyncio.Queue[str]:
        if lane not in self._by_lane:
            self._by_lane[lane] = asyncio.Queue(maxsize=1000)
        return self._by_lane[lane]

    async def put(self, session_id: str, lane: Lane = "bulk") -> None:
        await self._queue(lane).put(session_id)

    async def take(self, lane: Lane) -> str:
        return await self._queue(lane).get()


async def drain(lanes: Lanes, lane: Lane) -> None:
    while True:
        print(lane, await lanes.take(lane))


async def main() -> None:
    lanes = Lanes()
    async with asyncio.TaskGroup() as group:
        group.create_task(drain(lanes, "fast"))
        group.create_task(drain(lanes, "bulk"))
        await lanes.put("s-1", "fast")
