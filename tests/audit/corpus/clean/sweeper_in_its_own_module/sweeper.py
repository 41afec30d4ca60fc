"""
Throws away uploads that stand still.
"""

from __future__ import annotations

import asyncio
import time

from .store import UploadStore


async def sweep_stale(store: UploadStore, limit: float = 600.0) -> None:
    while True:
        await asyncio.sleep(limit / 10)
        now = time.monotonic()
        stale = [key for key, upload in store.partial.items() if now - upload.touched > limit]
        for key in stale:
            store.partial.pop(key, None)
