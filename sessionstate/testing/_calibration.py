"""
How much the interpreter grows by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Final

from sessionstate import Supervisor

from ._leakcheck import leakcheck

FACTOR: Final = 4
LEAST: Final = 4 * 1024


async def calibrate(
    *,
    rounds: int = 30,
    requests: int = 150,
    progress: Callable[[int, int], object] | None = None,
) -> int:
    """
    Measure the floor of `leakcheck` here: how much a session that does nothing seems to grow.

    Args:
        rounds: As of `leakcheck`.
        requests: The same.
        progress: The same.

    Returns:
        Bytes per 1000 requests: four times what was measured, and at least 4096.

    .. versionadded:: 0.1
    """
    async with Supervisor(default=False) as supervisor:

        async def nothing(number: int) -> None:
            async with supervisor.session(f"calibration-{number}"):
                pass

        report = await leakcheck(nothing, rounds=rounds, requests=requests, progress=progress)
    total = next(row for row in report.rows if row.kind == "total")
    return max(LEAST, ceil(FACTOR * total.slope))
