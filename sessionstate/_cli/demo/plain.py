"""
The chat server with plain dicts, cleaned up by the event: compare it with `scoped`, line by line.

It is written with care, as such programs are: a client may come back, so nothing goes when a
connection does; when `session.deleted` arrives, every map is cleaned, all tasks are ended, the
context is closed by its own task, the listener is removed and the tool killed. All it lacks is
somebody who sends the event.
"""

from __future__ import annotations

import asyncio
import json
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection

from sessionstate._cli.demo.holdings import (
    MODEL_CHANGED,
    Agent,
    SubAgent,
    Transcript,
    bus,
    upstream,
)
from sessionstate._cli.demo.settings import REMEMBERED, WEBHOOK_WINDOW
from sessionstate._cli.demo.tools import TOOL, note
from sessionstate._cli.demo.traffic import Errand

agents: dict[str, Agent] = {}
transcripts: dict[str, Transcript] = {}
tool_ids: dict[str, dict[str, str]] = {}
locks: dict[str, asyncio.Lock] = {}
connections: dict[str, asyncio.Task[None]] = {}
summaries: dict[str, asyncio.Task[None]] = {}
tools: dict[str, Process] = {}
sub_agents: dict[str, SubAgent] = {}
delegated: dict[str, asyncio.Task[None]] = {}
seen: dict[str, None] = {}


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
        prompt = str(message)
        if prompt == Errand.TOOL:
            await asyncio.shield(run_tool(id))  # a time-out must not leave it half started
        elif prompt == Errand.DELEGATE:
            sub_agents[id] = SubAgent(id)
            delegated[id] = asyncio.create_task(sub_agents[id].work())
        async with locks[id]:
            reply = await agents[id].answer(prompt)
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
    bus.on(MODEL_CHANGED, agents[id].change_model)
    ready = asyncio.Event()
    connections[id] = asyncio.create_task(stay_connected(ready))
    await ready.wait()
    summaries[id] = asyncio.create_task(agents[id].summarise())


async def run_tool(id: str) -> None:
    """
    Start the tool, a process that starts another.
    """
    tools[id] = tool = await asyncio.create_subprocess_exec(*TOOL, stdin=DEVNULL, stdout=PIPE)
    if tool.stdout is not None:
        note(tool.pid, await tool.stdout.readline())


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
    if (agent := agents.pop(id, None)) is not None:
        bus.remove_listener(MODEL_CHANGED, agent.change_model)  # pyright: ignore[reportUnknownMemberType]
    if (tool := tools.pop(id, None)) is not None:
        tool.kill()
    sub_agents.pop(id, None)
    transcripts.pop(id, None)
    tool_ids.pop(id, None)
    locks.pop(id, None)
    for tasks in (summaries, connections, delegated):
        if (task := tasks.pop(id, None)) is not None:
            task.cancel()


def first_time(signature: str, signed_at: float) -> bool:
    """
    Tell whether to act upon a webhook: a fresh one, which was not seen before.
    """
    if signature in seen or abs(time.time() - signed_at) > WEBHOOK_WINDOW:
        return False
    seen[signature] = None
    if len(seen) > REMEMBERED:  # it must not grow without end
        del seen[next(iter(seen))]
    return True


def signatures() -> int:
    """
    Count the signatures remembered.
    """
    return len(seen)


def sessions() -> int:
    """
    Count the conversations held.
    """
    return len(agents)


def map_entries() -> int:
    """
    Count the entries of all maps, the nested ones too.
    """
    maps: tuple[Mapping[str, object], ...] = (
        *(agents, transcripts, tool_ids, locks, connections, summaries),
        *(tools, sub_agents, delegated),
    )
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
