"""The locks of ended conversations stay, because locked() hands them out and has no idea when a conversation ends."""

import asyncio
from contextlib import asynccontextmanager


class KeyedLocks:
    def __init__(self):
        self._by_key = {}  # leaks SS009: a lock for each conversation that there ever was

    @asynccontextmanager
    async def locked(self, key):
        try:
            lock = self._by_key[key]
        except KeyError:
            lock = self._by_key[key] = asyncio.Lock()
        async with lock:
            yield


conversation_locks = KeyedLocks()
