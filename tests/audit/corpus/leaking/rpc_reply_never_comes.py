"""A call whose reply never comes keeps its future, because the pop stands behind the await."""

import asyncio
import itertools
import json


class RpcClient:
    def __init__(self, writer: asyncio.StreamWriter):
        self._writer = writer
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future] = {}  # leaks SS002b: wait_for raises, and the row stays

    async def call(self, method: str, **params):
        number = next(self._numbers)
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._writer.write(json.dumps({"id": number, "method": method, "params": params}).encode())
        await self._writer.drain()
        result = await asyncio.wait_for(future, 30)
        self._waiting.pop(number)
        return result

    def feed(self, line: bytes) -> None:
        message = json.loads(line)
        future = self._waiting.get(message["id"])
        if future is not None and not future.done():
            future.set_result(message["result"])
