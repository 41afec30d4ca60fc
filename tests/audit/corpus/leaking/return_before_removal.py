"""Tasks that run while the server drains are never taken off the board, because the finally returns early then."""

import asyncio
import signal


class Board:
    def __init__(self):
        self.jobs: dict[str, asyncio.Task] = {}  # leaks SS002c: the finally returns before it when draining
        self.draining = False

    def drain(self):
        self.draining = True

    def undrain(self):
        self.draining = False

    async def run(self, job_id, coro_fn):
        self.jobs[job_id] = asyncio.current_task()
        try:
            return await coro_fn()
        finally:
            if self.draining:
                return
            del self.jobs[job_id]


board = Board()


def install(loop: asyncio.AbstractEventLoop) -> None:
    loop.add_signal_handler(signal.SIGUSR1, board.drain)
    loop.add_signal_handler(signal.SIGUSR2, board.undrain)
