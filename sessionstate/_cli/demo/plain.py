"""
The chat server with plain dicts, cleaned up by the event: compare it with `scoped`, line by line.

It is written with care, as such programs are: a client may come back, so nothing goes when a
connection does; when `session.deleted` arrives, every map is cleaned, both tasks are ended and
the context is closed by its own task. All it lacks is somebody who sends the event.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection

from sessionstate._cli.demo.holdings import Agent, Transcript, upstream

agents: dict[str, Agent] = {}
transcripts: dict[str, Transcript] = {}
tool_ids: dict[str, dict[str, str]] = {}
locks: dict[str, asyncio.Lock] = {}
connections: dict[str, asyncio.Task[None]] = {}
summaries: dict[str, asyncio.Task[None]] = {}


@asynccontextmanager
async def lifespan() -> AsyncGenerator[None]:
    """
    Nothing to set up: the maps are there when the module is.
    """
    yield


async def handle(id: str, socket: ServerConnection) -> None:
    """
    Hold one connection's part of a conversation.
    """
    if id not in agents:
        await begin(id)
    async for message in socket:
        async with locks[id]:
            reply = await agents[id].answer(str(message))
            turn = transcripts[id].add(reply)
            tool_ids[id][f"tool-{turn}"] = "read_file"
        await socket.send(json.dumps({"turn": turn, "reply": reply}))


async def begin(id: str) -> None:
    """
    Make whatever a new conversation needs.
    """
    agents[id] = Agent(id)
    transcripts[id] = Transcript(id)
    tool_ids[id] = {}
    locks[id] = asyncio.Lock()
    ready = asyncio.Event()
    connections[id] = asyncio.create_task(stay_connected(ready))
    await ready.wait()
    summaries[id] = asyncio.create_task(agents[id].summarise())


async def stay_connected(ready: asyncio.Event) -> None:
    """
    Hold the context in one task from enter to exit, because of the task group inside.
    """
    async with upstream():
        ready.set()
        await asyncio.Event().wait()


def session_deleted(id: str) -> None:
    """
    Drop everything: this is the only clean-up there is.
    """
    agents.pop(id, None)
    transcripts.pop(id, None)
    tool_ids.pop(id, None)
    locks.pop(id, None)
    for tasks in (summaries, connections):
        if (task := tasks.pop(id, None)) is not None:
            task.cancel()


def sessions() -> int:
    """
    Count the conversations held.
    """
    return len(agents)


def map_entries() -> int:
    """
    Count the entries of all maps, the nested ones too.
    """
    maps = (agents, transcripts, tool_ids, locks, connections, summaries)
    return sum(len(one) for one in maps) + sum(len(ids) for ids in tool_ids.values())


def endings() -> dict[str, int]:
    """
    Count ends by their reason: nobody keeps such a count here.
    """
    return {}


def ended_by_deadline() -> int:
    """
    Count the conversations that a deadline ended: there is none.
    """
    return 0
