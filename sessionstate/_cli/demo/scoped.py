"""
The same chat server with sessionstate: compare it with `plain`, line by line.

Every conversation is a session: it ends at once on a goodbye, on `session.deleted`, `LINGER`
seconds after its client vanished, or `STALL_TIMEOUT` seconds after its client fell silent. A
sub-agent is a session too: it ends when it is done, or with its parent.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from websockets.asyncio.server import ServerConnection

from sessionstate import (
    CloseReason,
    ReplayGuard,
    Session,
    SessionMap,
    SessionVar,
    StaleRequest,
    Supervisor,
    current_supervisor,
    session,
)
from sessionstate._cli.demo.holdings import (
    MODEL_CHANGED,
    Agent,
    SubAgent,
    Transcript,
    bus,
    upstream,
)
from sessionstate._cli.demo.settings import LINGER, STALL_TIMEOUT, WEBHOOK_WINDOW
from sessionstate._cli.demo.tools import TOOL, note
from sessionstate._cli.demo.traffic import Errand

agents = SessionMap[Agent]("agents")
transcripts = SessionMap[Transcript]("transcripts")
sub_agents = SessionMap[SubAgent]("sub_agents")
tool_ids: SessionVar[dict[str, str]] = SessionVar("tool_ids", factory=dict)

reasons: Counter[CloseReason] = Counter()
by_deadline: Counter[CloseReason] = Counter()

guard: ReplayGuard


@asynccontextmanager
async def lifespan() -> AsyncGenerator[None]:
    """
    Run the supervisor for as long as the server runs.
    """
    global guard  # noqa: PLW0603 (its supervisor is here)
    # Ample time for clean-ups: the machine may be busy with everything else of the demo.
    async with Supervisor(max_sessions=100_000, close_timeout=30) as supervisor:
        guard = ReplayGuard(window=WEBHOOK_WINDOW, maxsize=100_000, supervisor=supervisor)
        supervisor.on_close(count)
        yield


async def handle(id: str, socket: ServerConnection) -> None:
    """
    Hold one connection's part of a conversation.
    """
    async with session(id, linger=LINGER, stall_timeout=STALL_TIMEOUT) as s:
        await s.get_or_create("begun", partial(begin, s))
        async for message in socket:
            s.touch()
            s.supervisor.count_request()  # what grows is told per 1000 of them
            prompt = str(message)
            if prompt == Errand.TOOL:
                await run_tool(s)
            elif prompt == Errand.DELEGATE:
                s.start_soon(delegate, s)
            async with s.lock:
                reply = await agents[s].answer(prompt)
                turn = transcripts[s].add(reply)
                tool_ids.get()[f"tool-{turn}"] = "read_file"
            await socket.send(json.dumps({"turn": turn, "reply": reply}))
        s.vars["goodbye"] = True
        s.close_soon()  # a goodbye: no need to linger


async def begin(s: Session) -> None:
    """
    Make whatever a new conversation needs.
    """
    agent = agents[s.id] = Agent(s.id)
    transcripts[s.id] = Transcript(s.id)
    await s.enter_async_context(upstream())
    s.start_soon(agent.summarise)
    s.listen(bus, MODEL_CHANGED, agent.change_model)


async def run_tool(s: Session) -> None:
    """
    Start the tool, a process that starts another.
    """
    tool = await s.open_process(TOOL)
    if tool.stdout is not None:
        note(tool.pid, await tool.stdout.receive())


async def delegate(s: Session) -> None:
    """
    Have a sub-agent look into something.
    """
    async with s.child() as child:
        agent = sub_agents[child] = SubAgent(child.id)
        await agent.work()


def session_deleted(id: str) -> None:
    """
    Take the hint.
    """
    current_supervisor().close_soon(id)


def first_time(signature: str, signed_at: float) -> bool:
    """
    Tell whether to act upon a webhook: a fresh one, which was not seen before.
    """
    try:
        return guard.first_seen(signature, signed_at=signed_at)
    except StaleRequest:
        return False


def signatures() -> int:
    """
    Count the signatures remembered.
    """
    return len(guard)


def count(ended: Session, reason: CloseReason) -> None:
    """
    Keep the figures of the report; the server itself needs none of this.
    """
    if ended.parent is not None:
        return
    reasons[reason] += 1
    if reason is not CloseReason.DELETED and "goodbye" not in ended.vars:
        by_deadline[reason] += 1


def sessions() -> int:
    """
    Count the conversations held.
    """
    return len(current_supervisor()) - len(sub_agents)


def map_entries() -> int:
    """
    Count the entries of all maps, the nested ones too.
    """
    nested = sum(len(tool_ids.get(live)) for live in current_supervisor().values())
    return len(agents) + len(transcripts) + len(sub_agents) + nested


def endings() -> dict[str, int]:
    """
    Count ends by their reason.
    """
    return {str(reason): number for reason, number in sorted(reasons.items())}


def ended_by_deadline() -> int:
    """
    Count the conversations that a deadline ended, because nobody had said goodbye.
    """
    return by_deadline.total()
