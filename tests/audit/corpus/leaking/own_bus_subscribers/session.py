"""Sessions stay reachable from the bus, because close() takes off the listener for 'config' and forgets that for 'shutdown'."""

from contextlib import closing

from .bus import bus


class EditorSession:
    def __init__(self, sid, config):
        self.sid = sid
        self.config = config
        self.saved = False
        bus.on("config", self.reload)  # clean: close() takes it off
        bus.on("shutdown", self.save)  # leaks SS004: a bound method keeps the session, and no off() follows

    def reload(self, config):
        self.config = config

    def save(self):
        self.saved = True

    def close(self):
        bus.off("config", self.reload)


async def edit(ws, config):
    with closing(EditorSession(ws.id, config)) as session:
        async for change in ws:
            session.saved = False
            bus.emit("changed", session.sid, change)
