"""Each reply topic stays with an empty list, because unsubscribing removes the queue from the list alone."""

import asyncio
import uuid


class PubSub:
    def __init__(self):
        self.topics = {}  # leaks SS002f: a topic for each request, emptied and kept

    def subscribe(self, topic):
        queue = asyncio.Queue(maxsize=10)
        self.topics.setdefault(topic, []).append(queue)
        return queue

    def unsubscribe(self, topic, queue):
        self.topics[topic].remove(queue)

    def publish(self, topic, message):
        for queue in self.topics.get(topic, ()):
            if not queue.full():
                queue.put_nowait(message)


pubsub = PubSub()


async def request(service, body):
    reply_to = f"reply.{uuid.uuid4()}"
    queue = pubsub.subscribe(reply_to)
    try:
        pubsub.publish(service, {"reply_to": reply_to, "body": body})
        async with asyncio.timeout(5):
            return await queue.get()
    finally:
        pubsub.unsubscribe(reply_to, queue)
