"""
Leaks to plant in the server that uses sessionstate, each past its reach.

The check must be seen to find them.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from functools import partial
from itertools import count
from typing import cast

from sessionstate import Session, current_supervisor
from sessionstate._cli.demo import scoped
from sessionstate._cli.demo.holdings import MODEL_CHANGED, SubAgent, bus, upstream
from sessionstate._cli.demo.tools import TOOL, note

EVERY = 10

forgotten: dict[str, object] = {}
strays: list[asyncio.Task[None]] = []


def install(kind: str) -> None:
    """
    Have every `EVERY`-th conversation leave one thing of *kind* behind, or take every replay.
    """
    if kind == "replay":
        scoped.first_time = _first_time
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
    elif kind == "sub-agent":
        forgotten[id] = SubAgent(id)
    elif kind == "listener":
        bus.on(MODEL_CHANGED, partial(_hear, id))
    elif kind == "tool":
        tool = await asyncio.create_subprocess_exec(*TOOL, stdin=DEVNULL, stdout=PIPE)
        forgotten[id] = tool
        note(tool.pid, await cast("asyncio.StreamReader", tool.stdout).readline())


def _hear(id: str, model: str) -> None:
    forgotten[id] = model


def _first_time(signature: str, signed_at: float) -> bool:
    return signature != str(signed_at)


async def _wait_for_ever() -> None:
    await asyncio.Event().wait()


async def _hold_context() -> None:
    async with upstream():
        await _wait_for_ever()
