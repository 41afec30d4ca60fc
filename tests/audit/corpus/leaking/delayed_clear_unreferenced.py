"""The clearing of an old session may vanish before it runs, because the loop holds only a weak reference to the task."""

import asyncio
from dataclasses import dataclass, field


@dataclass
class UserSession:
    id: str
    files: list[str] = field(default_factory=list)  # clean: one user's files, gone with the session

    async def clear(self, delay: float) -> None:
        await asyncio.sleep(delay)
        while self.files:
            await asyncio.to_thread(_remove, self.files.pop())


def _remove(path: str) -> None:
    import os

    if os.path.exists(path):
        os.unlink(path)


async def on_socket(socket) -> None:
    session = UserSession(socket.id)
    try:
        async for upload in socket.uploads():
            session.files.append(await upload.save("/tmp"))
    finally:
        asyncio.ensure_future(session.clear(delay=60))  # leaks SS006: no one keeps a reference to it
