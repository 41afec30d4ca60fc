"""Handles the calls of a voice bot."""
import asyncio

from state import live as _live


async def pump(call_id, media):
    async for chunk in media:
        _live[call_id]["bytes"] += len(chunk)


async def handle_call(call):
    _live[call.id] = {"from": call.caller, "bytes": 0}
    try:
        async with asyncio.timeout(3600):
            await pump(call.id, call.media)
    finally:
        del _live[call.id]
