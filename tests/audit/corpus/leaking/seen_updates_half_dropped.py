"""Update numbers are cut to the newest half when there are too many, because size is the only limit and no time is known."""

import asyncio


class UpdateGuard:
    """Refuses an update that was delivered before."""

    LIMIT = 10_000

    def __init__(self):
        self._seen: dict[str, None] = {}  # leaks SS007 info: bounded by size alone, and drops what may still be replayed

    def first_time(self, update_id: str) -> bool:
        if update_id in self._seen:
            return False
        self._seen[update_id] = None
        if len(self._seen) > self.LIMIT:
            for old in list(self._seen)[: self.LIMIT // 2]:
                del self._seen[old]
        return True


async def consume(queue: asyncio.Queue, handle):
    guard = UpdateGuard()
    while True:
        update = await queue.get()
        if guard.first_time(update["id"]):
            await handle(update)
        queue.task_done()
