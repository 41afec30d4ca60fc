"""
Sessions unsubscribe in aclose(), and the server calls aclose() in a finally.
"""
from collections import defaultdict


class EventBus:
    def __init__(self):
        self.handlers = defaultdict(set)  # clean: unsubscribe() drops the handler and an empty topic

    def subscribe(self, topic, handler):
        self.handlers[topic].add(handler)

    def unsubscribe(self, topic, handler):
        rest = self.handlers.get(topic)
        if rest is None:
            return
        rest.discard(handler)
        if not rest:
            del self.handlers[topic]

    async def publish(self, topic, event):
        for handler in list(self.handlers.get(topic, ())):
            await handler(event)


bus = EventBus()
