"""
What bodies of blocks do while they wait for their end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = 1000.0


def cancelling() -> int:
    """
    Count the cancellations of this task that nobody took back.
    """
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


def soon(seconds: float, call: Callable[..., object], *args: object) -> None:
    """
    Have *call* called outside of every task.
    """
    asyncio.get_running_loop().call_later(seconds, call, *args)


async def nothing_stray() -> None:
    """
    Fail if a cancellation is still to come, or was counted and not taken back.
    """
    assert cancelling() == 0
    for _ in range(3):
        await asyncio.sleep(0)
    await asyncio.sleep(1)
