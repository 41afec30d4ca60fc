"""
What a timer of the loop is about: for messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sessionstate._context import describe

from ._origins import defined_at
from ._places import place


def told(timer: asyncio.TimerHandle) -> str:
    """
    Return what *timer* calls, or which task it wakes, and when.
    """
    handle: Any = timer
    callback = handle._callback
    if callback is None:
        return "a timer that was cancelled"
    task = next(_waiting(handle._args), None)
    if task is not None:
        what, where = f"wakes {getattr(task.get_coro(), '__qualname__', '?')}", place(task)
    else:
        what, where = f"calls {describe(callback)}", defined_at(callback) or ""
    at = f" at {Path(where).name}" if where else ""
    return f"{what}{at} in {timer.when() - handle._loop.time():,.0f} s"


def _waiting(arguments: tuple[Any, ...]) -> Iterator[asyncio.Task[Any]]:
    """
    Yield the tasks that wait for what a timer is called with.
    """
    futures: list[Any] = [each for each in arguments if isinstance(each, asyncio.Future)]
    for future in futures:
        for done, _ in future._callbacks or ():
            task: Any = getattr(done, "__self__", None)
            if isinstance(task, asyncio.Task):
                yield task
