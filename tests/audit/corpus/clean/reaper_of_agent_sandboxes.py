"""
The pool starts its reaper when it is entered, and the reaper drops every sandbox past its deadline.
"""
from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class SandboxPool:
    def __init__(self, max_age: float = 900.0) -> None:
        self._max_age = max_age
        self._deadline_of: dict[str, float] = {}  # clean: the reaper task pops what is overdue
        self._reaper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reaper = asyncio.create_task(self._reap())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._reaper is not None
        self._reaper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reaper
        self._deadline_of.clear()

    def touch(self, sandbox_id: str) -> None:
        self._deadline_of[sandbox_id] = asyncio.get_running_loop().time() + self._max_age

    async def _reap(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(5)
            overdue = [sid for sid, deadline in self._deadline_of.items() if deadline <= clock()]
            for sid in overdue:
                self._deadline_of.pop(sid, None)


async def main(requests) -> None:
    async with SandboxPool() as pool:
        async for request in requests:
            pool.touch(request.sandbox_id)
