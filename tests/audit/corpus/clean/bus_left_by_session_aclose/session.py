"""
One client that follows one document.
"""
from bus import bus


class ViewerSession:
    def __init__(self, ws, doc_id):
        self.ws = ws
        self.topic = f"doc:{doc_id}"
        bus.subscribe(self.topic, self.on_change)

    async def on_change(self, event):
        await self.ws.send(event)

    async def run(self):
        async for edit in self.ws:
            await bus.publish(self.topic, edit)

    async def aclose(self):
        bus.unsubscribe(self.topic, self.on_change)
        await self.ws.close()
