"""
The delete in the finally may find nothing, and that is the only thing that is suppressed.
"""
import asyncio
from contextlib import suppress

ACTIVE_PROMPTS = {}  # clean: del in finally


async def generate(request_id, prompt, engine):
    ACTIVE_PROMPTS[request_id] = prompt[:40]
    try:
        parts = []
        async for part in engine.generate(prompt):
            parts.append(part)
        return "".join(parts)
    finally:
        with suppress(KeyError):
            del ACTIVE_PROMPTS[request_id]


async def drop_everything():
    ACTIVE_PROMPTS.clear()


async def serve(requests, engine):
    try:
        async with asyncio.TaskGroup() as group:
            async for request in requests:
                group.create_task(generate(request.id, request.prompt, engine))
    finally:
        await drop_everything()
