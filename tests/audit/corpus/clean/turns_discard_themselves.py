"""
Every task takes itself out of the set with a done-callback, and the rest are cancelled at close.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class TurnRunner:
    def __init__(self) -> None:
        self._turns: set[asyncio.Task[None]] = set()  # clean: add_done_callback(self._turns.discard)

    def begin(self, session_id: str, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name=f"turn-{session_id}")
        self._turns.add(task)
        task.add_done_callback(self._turns.discard)

    async def aclose(self) -> None:
        for task in self._turns:
            task.cancel()
        await asyncio.gather(*self._turns, return_exceptions=True)


async def answer(session_id: str, text: str) -> None:
    await asyncio.sleep(0.1)
    print(session_id, text.upper())


async def main() -> None:
    runner = TurnRunner()
    try:
        while line := await asyncio.to_thread(input, "> "):
            session_id, _, text = line.partition(" ")
            runner.begin(session_id, answer(session_id, text))
    finally:
        await runner.aclose()


if __name__ == "__main__":
    asyncio.run(main())
