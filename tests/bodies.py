"""
What bodies of blocks do while they wait for their end.
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
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


async def until_cancelled(log: list[str], name: str, seconds: float = 0.0) -> None:
    """
    Be an owned task that takes *seconds* to end.
    """
    try:
        await asyncio.sleep(LONG)
    finally:
        await asyncio.sleep(seconds)
        log.append(name)


async def deaf(seconds: float, log: list[str] | None = None) -> None:
    """
    Be a step that swallows every cancellation for *seconds*.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(until - loop.time())
    if log is not None:
        log.append("deaf")


async def noted(log: list[str], name: str, seconds: float = 0.0) -> None:
    """
    Be an async callback that notes when it begins and when it is through.
    """
    log.append(f"{name} begins")
    await asyncio.sleep(seconds)
    log.append(name)


def sweep(name: str = "") -> int:
    """
    Cancel every task whose name contains *name*, however well it hides.
    """
    found = [each for each in gc.get_objects() if isinstance(each, asyncio.Task)]
    found = [each for each in found if not each.done() and name in each.get_name()]
    found = [each for each in found if not each.get_loop().is_closed()]
    for task in found:
        task.cancel()
    return len(found)


def fail() -> None:
    """
    Be a step that fails.
    """
    raise ZeroDivisionError("step")
