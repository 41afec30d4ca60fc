"""
A retry pops its count before it tries, and after the fifth failure nothing is entered again.
"""

import asyncio
import heapq
import itertools
import time


class Retries:
    """Deliveries that have failed, ordered by the time of the next attempt."""

    LIMIT = 5

    def __init__(self, deliver):
        self.deliver = deliver
        self.order = itertools.count()
        self.heap = []  # clean: run() pops each row when it is due
        self.attempts = {}  # clean: run() pops before each attempt, and attempts end

    def failed(self, delivery_id, payload, before=0):
        n = before + 1
        if n > self.LIMIT:
            return
        self.attempts[delivery_id] = n
        heapq.heappush(self.heap, (time.monotonic() + 2**n, next(self.order), delivery_id, payload))

    async def run(self):
        while True:
            while self.heap and self.heap[0][0] <= time.monotonic():
                _, _, delivery_id, payload = heapq.heappop(self.heap)
                before = self.attempts.pop(delivery_id, 0)
                try:
                    await self.deliver(payload)
                except Exception:
                    self.failed(delivery_id, payload, before)
            await asyncio.sleep(0.5)


async def main(webhooks, deliver):
    retries = Retries(deliver)
    async with asyncio.TaskGroup() as group:
        group.create_task(retries.run())
        async for hook in webhooks:
            try:
                await deliver(hook.payload)
            except Exception:
                retries.failed(hook.id, hook.payload)
