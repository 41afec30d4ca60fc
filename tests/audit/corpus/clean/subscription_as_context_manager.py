"""
A subscription is a with block, and the block's end discards the queue.
"""
import asyncio
from contextlib import contextmanager


class Broadcast:
    def __init__(self):
        self.subscribers = {}  # clean: the set of a channel is dropped with its last queue

    @contextmanager
    def subscription(self, channel_id):
        queue = asyncio.Queue()
        self.subscribers.setdefault(channel_id, set()).add(queue)
        try:
            yield queue
        finally:
            rest = self.subscribers[channel_id]
            rest.remove(queue)
            if not rest:
                del self.subscribers[channel_id]

    def publish(self, channel_id, item):
        for queue in self.subscribers.get(channel_id, ()):
            queue.put_nowait(item)


broadcast = Broadcast()


async def follow(ws):
    channel_id = ws.path.rsplit("/", 1)[-1]
    with broadcast.subscription(channel_id) as queue:
        while True:
            await ws.send(await queue.get())


async def post(channel_id, text):
    broadcast.publish(channel_id, text)
