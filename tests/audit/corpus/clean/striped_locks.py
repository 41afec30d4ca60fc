"""
A session's id is hashed to one of sixty-four locks, which all exist from the start.
"""

import asyncio
import zlib

STRIPES = 64
_stripes = {n: asyncio.Lock() for n in range(STRIPES)}  # clean: fixed number of stripes
_waits: dict[int, int] = {}  # clean: keyed by a number below STRIPES


def stripe(session_id: str) -> int:
    return zlib.crc32(session_id.encode()) % STRIPES


async def append_message(store, session_id: str, message: dict) -> None:
    n = stripe(session_id)
    if _stripes[n].locked():
        _waits[n] = _waits.get(n, 0) + 1
    async with _stripes[n]:
        history = await store.load(session_id)
        history.append(message)
        await store.save(session_id, history)
