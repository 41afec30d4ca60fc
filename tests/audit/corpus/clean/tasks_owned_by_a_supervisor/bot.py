"""
A bot that answers every message in a task of its own.
"""

from __future__ import annotations

import asyncio

from .supervisor import Supervisor


async def answer(message, api) -> None:
    await asyncio.sleep(1)
    await api.send(message.chat_id, message.text.title())


async def run(api) -> None:
    async with Supervisor() as supervisor:
        async for message in api.messages():
            supervisor.spawn(str(message.chat_id), answer(message, api))
