"""A thousand deleted sessions leave a thousand users with nothing, because deleting goes one level deep."""

import uuid
from contextlib import asynccontextmanager


class InMemorySessions:
    def __init__(self):
        self._by_user: dict[str, dict[str, dict]] = {}  # leaks SS002f: the user's empty dict is left
        self._owners: dict[str, str] = {}  # clean: popped along with the session

    def create(self, user_id):
        session_id = uuid.uuid4().hex
        self._by_user.setdefault(user_id, {})[session_id] = {"events": []}
        self._owners[session_id] = user_id
        return session_id

    def delete(self, session_id):
        user_id = self._owners.pop(session_id)
        del self._by_user[user_id][session_id]

    def list(self, user_id):
        return list(self._by_user.get(user_id, {}))


service = InMemorySessions()


@asynccontextmanager
async def session_of(user_id):
    session_id = service.create(user_id)
    try:
        yield session_id
    finally:
        service.delete(session_id)
