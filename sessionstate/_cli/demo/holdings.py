"""
What one conversation of the chat server holds, whichever way the server keeps it.

The census counts here, outside both servers and outside sessionstate: agents by weak references,
contexts by entering and leaving, listeners by asking the bus. A server cannot look clean by
forgetting to count.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast
from weakref import WeakSet

import anyio
from pyee import EventEmitter

MODEL_CHANGED = "model.changed"
WORK = 1.0
TRANSCRIPT_CHARACTERS = 20_000
HEARTBEAT = 5.0


@dataclass(slots=True)
class Tally:
    """
    What went through this server since it began to count.
    """

    agents: int = 0
    requests: int = 0


tally = Tally()
bus = EventEmitter()  # the program's, so it lives as long as that
living_agents: WeakSet[Agent] = WeakSet()
living_sub_agents: WeakSet[SubAgent] = WeakSet()
open_contexts: set[object] = set()


class PoisonedPromptError(Exception):
    """
    A prompt on which the agent fails.
    """


class Transcript:
    """
    What was said so far: it begins with 20 kB, as a prompt with its documents does.
    """

    __slots__ = ("text", "turns")

    def __init__(self, id: str) -> None:
        self.text = (f"{id}: " * TRANSCRIPT_CHARACTERS)[:TRANSCRIPT_CHARACTERS]
        self.turns = 0

    def add(self, said: str) -> int:
        """
        Append a turn and give its number.
        """
        self.text = self.text[len(said) :] + said
        self.turns += 1
        return self.turns


class Agent:
    """
    The thing that answers, over a connection upstream.
    """

    __slots__ = ("__weakref__", "asked", "id", "model")

    def __init__(self, id: str) -> None:
        tally.agents += 1
        self.id = id
        self.model = "the first"
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        living_agents.add(self)

    async def answer(self, prompt: str) -> str:
        """
        Answer, fail, or never come back, as the prompt wants it.
        """
        if prompt == "poison":
            raise PoisonedPromptError(f"the agent of {self.id} choked on its prompt")
        if prompt == "slow":
            await anyio.sleep_forever()
        self.asked.put_nowait(prompt)
        tally.requests += 1
        return f"you said {prompt}"

    def change_model(self, model: str) -> None:
        """
        Hear of what changed.
        """
        self.model = model

    async def summarise(self) -> None:
        """
        Digest what was asked, in the background, until cancelled.
        """
        while True:
            await self.asked.get()


class SubAgent:
    """
    What looks into something on behalf of an agent, with a transcript of its own.
    """

    __slots__ = ("__weakref__", "transcript")

    def __init__(self, id: str) -> None:
        self.transcript = Transcript(id)
        living_sub_agents.add(self)

    async def work(self) -> None:
        """
        Take a while over it.
        """
        await anyio.sleep(WORK)
        self.transcript.add("found it")


def listeners() -> int:
    """
    Count what listens to the bus.
    """
    heard = cast("list[object]", bus.listeners(MODEL_CHANGED))  # pyright: ignore[reportUnknownMemberType]
    return len(heard)


@asynccontextmanager
async def upstream() -> AsyncGenerator[None]:
    """
    A connection to a model, kept alive by a task group inside, as clients of real ones are.
    """
    entered = object()  # not the id: of two contexts of one conversation, one may stay open
    open_contexts.add(entered)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_heartbeat)
            yield
            tasks.cancel_scope.cancel()
    finally:
        open_contexts.remove(entered)


async def _heartbeat() -> None:
    while True:  # noqa: ASYNC110 (a real one would send a ping here)
        await anyio.sleep(HEARTBEAT)
