"""
A lock is counted by its users, and the last one to leave deletes it.
"""
import asyncio
from contextlib import asynccontextmanager


class KeyedLocks:
    def __init__(self):
        self._rows = {}  # clean: deleted when the count of users is zero

    @asynccontextmanager
    async def hold(self, key):
        row = self._rows.setdefault(key, [asyncio.Lock(), 0])
        row[1] += 1
        try:
            async with row[0]:
                yield
        finally:
            row[1] -= 1
            if row[1] == 0:
                del self._rows[key]


locks = KeyedLocks()


async def edit(request, repository):
    doc_id = request.path_params["doc_id"]
    async with locks.hold(doc_id):
        document = await repository.load(doc_id)
        document.apply(await request.json())
        await repository.save(document)
    return document.version
