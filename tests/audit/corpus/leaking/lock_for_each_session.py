"""A lock remains for each session that ever took a turn, because it is made with setdefault and thrown away by nobody."""

import asyncio


class TurnRunner:
    def __init__(self, agent):
        self.agent = agent
        self._locks: dict[str, asyncio.Lock] = {}  # leaks SS009: never shrinks
        self._running: dict[str, asyncio.Task] = {}  # clean: popped in the finally

    async def run(self, session_id: str, prompt: str) -> str:
        lock = self._locks.setdefault(session_id, asyncio.Lock())
        async with lock:
            self._running[session_id] = asyncio.current_task()
            try:
                return await self.agent.run(session_id, prompt)
            finally:
                self._running.pop(session_id, None)

    def stop(self, session_id: str) -> None:
        task = self._running.get(session_id)
        if task is not None:
            task.cancel()
