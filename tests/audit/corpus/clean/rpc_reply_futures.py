"""
Whoever waits for the reply pops the future in its own finally, answered or not.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any


class RpcClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Any]] = {}  # clean: the caller pops in finally

    async def call(self, method: str, **params: Any) -> Any:
        request_id = next(self._ids)
        reply = asyncio.get_running_loop().create_future()
        self._replies[request_id] = reply
        try:
            frame = {"id": request_id, "method": method, "params": params}
            self._writer.write(json.dumps(frame).encode() + b"\n")
            await self._writer.drain()
            async with asyncio.timeout(30):
                return await reply
        finally:
            self._replies.pop(request_id, None)

    async def read_forever(self) -> None:
        async for line in self._reader:
            frame = json.loads(line)
            reply = self._replies.get(frame["id"])
            if reply is not None and not reply.done():
                reply.set_result(frame.get("result"))


async def main() -> None:
    client = RpcClient(*await asyncio.open_connection("localhost", 5010))
    async with asyncio.TaskGroup() as group:
        pump = group.create_task(client.read_forever())
        print(await client.call("version"))
        pump.cancel()
