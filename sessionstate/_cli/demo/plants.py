"""
Leaks to plant in the server that uses sessionstate, each past its reach.

The check must be seen to find them.
"""

from __future__ import annotations

import asyncio
from itertools import count

from sessionstate import Session, current_supervisor
from sessionstate._cli.demo import scoped
from sessionstate._cli.demo.holdings import Agent, upstream

EVERY = 10

forgotten: dict[str, Agent] = {}
strays: list[asyncio.Task[None]] = []


def install(kind: str) -> None:
    """
    Have every `EVERY`-th conversation leave one thing of *kind* behind.
    """
    begin = scoped.begin
    number = count(1)

    async def begin_and_leak(s: Session) -> None:
        await begin(s)
        if next(number) % EVERY == 0:
            await _leak(kind, s.id)

    scoped.begin = begin_and_leak


async def _leak(kind: str, id: str) -> None:
    if kind == "entry":
        forgotten[id] = scoped.agents[id]
    elif kind == "task":
        strays.append(asyncio.create_task(_wait_for_ever()))
    elif kind == "context":
        strays.append(asyncio.create_task(_hold_context()))
    elif kind == "session":
        await current_supervisor().open(f"{id}-orphan", idle_timeout=None)


async def _wait_for_ever() -> None:
    await asyncio.Event().wait()


async def _hold_context() -> None:
    async with upstream():
        await _wait_for_ever()
