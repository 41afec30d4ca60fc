"""The count of messages grows by one key for each connection, because a Counter is fed and never emptied."""

import asyncio
from collections import Counter, deque
from itertools import count

import websockets

_next_id = count(1)
usage: Counter[int] = Counter()  # leaks SS001: one key a connection, for ever
recent: deque[str] = deque(maxlen=200)  # clean: bounded by maxlen
commands = {"ping": "pong", "time": "now"}  # clean: filled here, and nowhere else


async def serve_one(ws):
    connection_id = next(_next_id)
    async for message in ws:
        usage.update({connection_id: 1})
        recent.append(message[:40])
        await ws.send(commands.get(message, "?"))


async def main():
    async with websockets.serve(serve_one, "localhost", 8765):
        while True:
            await asyncio.sleep(60)
            print("busiest:", usage.most_common(3))


asyncio.run(main())
