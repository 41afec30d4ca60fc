"""The heap of deadlines gets a row for each heartbeat, because the sweep walks the dictionary and never pops the heap."""

import asyncio
import heapq
import time

TTL = 45.0


class Liveness:
    def __init__(self):
        self._last = {}  # clean: the sweep, started below, drops what is old
        self._deadlines = []  # leaks SS001: pushed at each beat, only ever peeked at

    def beat(self, device_id):
        now = time.monotonic()
        self._last[device_id] = now
        heapq.heappush(self._deadlines, (now + TTL, device_id))

    def next_deadline(self):
        return self._deadlines[0][0] if self._deadlines else None

    async def sweep(self):
        while True:
            await asyncio.sleep(5)
            limit = time.monotonic() - TTL
            for device_id in [d for d, t in self._last.items() if t < limit]:
                del self._last[device_id]


async def main(broker):
    liveness = Liveness()
    async with asyncio.TaskGroup() as tg:
        tg.create_task(liveness.sweep())
        async for message in broker:
            liveness.beat(message.topic.split("/")[1])
