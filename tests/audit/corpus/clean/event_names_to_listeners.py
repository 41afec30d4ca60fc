"""
Listeners are added by decorators, one list for each event's name, while modules are imported.
"""
from collections import defaultdict


class Bus:
    def __init__(self):
        self.listeners = defaultdict(list)  # clean: decorated functions only, at import

    def on(self, event):
        def keep(fn):
            self.listeners[event].append(fn)
            return fn

        return keep

    async def emit(self, event, **data):
        for fn in self.listeners.get(event, ()):
            await fn(**data)


bus = Bus()


@bus.on("session.start")
async def greet(session_id, **_):
    print("hello", session_id)


@bus.on("session.end")
async def bye(session_id, **_):
    print("bye", session_id)


async def websocket(ws, session_id):
    await bus.emit("session.start", session_id=session_id)
    try:
        async for frame in ws:
            await bus.emit("frame", session_id=session_id, frame=frame)
    finally:
        await bus.emit("session.end", session_id=session_id)
