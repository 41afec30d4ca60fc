"""
Work over many sessions that leaves the loop to others after each half of a millisecond.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from time import perf_counter
from typing import Final, TypeVar

SLICE: Final = 0.0005  # seconds
BATCH: Final = 512  # sessions between two looks at the clock

T = TypeVar("T")


async def batches(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Yield *items* by the batch; others get their turn when a slice is over."""
    until = perf_counter() + SLICE
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
        if perf_counter() >= until:
            await asyncio.sleep(0)
            until = perf_counter() + SLICE
