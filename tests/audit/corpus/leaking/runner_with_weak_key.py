"""Each connection leaves its session row in the service, because the weak table forgets the connection and nothing forgets the row."""

import uuid
import weakref


class SessionService:
    def __init__(self):
        self.rows = {}  # leaks SS001: the weak key of the runner dies, this value stays

    def create(self, user):
        sid = uuid.uuid4().hex
        self.rows[sid] = {"user": user, "events": [], "state": {}}
        return sid

    def append(self, sid, event):
        self.rows[sid]["events"].append(event)


class LiveRunner:
    def __init__(self, service: SessionService):
        self.service = service
        self._by_connection = weakref.WeakKeyDictionary()  # clean: the key is weak

    def session_for(self, connection, user):
        sid = self._by_connection.get(connection)
        if sid is None:
            sid = self._by_connection[connection] = self.service.create(user)
        return sid


RUNNER = LiveRunner(SessionService())


async def endpoint(connection):
    user = connection.headers["x-user"]
    async for event in connection:
        RUNNER.service.append(RUNNER.session_for(connection, user), event)
