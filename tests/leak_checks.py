"""
Leak checks in few rounds, for the tests of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sessionstate import Supervisor, session
from sessionstate.testing import LeakReport, LeakRow, VirtualClock, leakcheck

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

NEVER = 1e9


def check(
    request: Callable[..., Coroutine[Any, Any, object]],
    *,
    rounds: int = 6,
    requests: int = 3,
    **options: Any,
) -> LeakReport:
    """
    Check *request* in virtual time, in few rounds: enough for what is counted.
    """

    async def main() -> LeakReport:
        async with Supervisor():
            return await leakcheck(request, rounds=rounds, requests=requests, **options)

    return VirtualClock().run(main())


def row(report: LeakReport, name: str) -> LeakRow:
    """
    Return the row whose name begins so.
    """
    return next(each for each in report.rows if each.name.startswith(name))


async def nothing() -> None:
    """
    Be a request that leaves nothing.
    """
    async with session("a", stall_timeout=60):
        await asyncio.sleep(0.01)
