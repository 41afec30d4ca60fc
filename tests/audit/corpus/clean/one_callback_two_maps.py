"""
The same done-callback removes the run from both maps.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass
class RunBoard:
    tasks: dict[str, asyncio.Task[str]] = field(default_factory=dict)  # clean: _done removes
    asked_by: dict[str, str] = field(default_factory=dict)  # clean: _done removes

    def start(self, run_id: str, user: str, coro) -> None:
        task = asyncio.create_task(coro)
        task.set_name(run_id)
        self.tasks[run_id] = task
        self.asked_by[run_id] = user
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[str]) -> None:
        run_id = task.get_name()
        self.tasks.pop(run_id, None)
        self.asked_by.pop(run_id, None)

    def cancel_all(self) -> None:
        for task in [*self.tasks.values()]:
            task.cancel()


board = RunBoard()


async def lifespan(scope, receive, send):
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            board.cancel_all()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    run_id = scope["path"].rsplit("/", 1)[-1]
    board.start(run_id, "anonymous", asyncio.sleep(5, "done"))
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": run_id.encode()})
