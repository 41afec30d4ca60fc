"""
A WebSocket agent server: one conversation, one session.

Whatever a conversation holds goes with it: when the client says goodbye, when it is killed, when
it falls silent. A client that comes back within *linger* seconds finds its agent in place.

    pip install sessionstate websockets
    python examples/agent_server.py
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

import sessionstate
from sessionstate import SessionClosed, SessionMap, SessionVar, Supervisor, session


class Agent:
    """What a conversation needs; in earnest, megabytes of it."""

    def __init__(self) -> None:
        self.transcript: list[str | bytes] = []

    async def answer(self, question: str | bytes) -> str:
        """Remember the question and answer it."""
        self.transcript.append(question)
        return f"answer {len(self.transcript)}"


agents = SessionMap[Agent]("agents")  # was: agents: dict[str, Agent] = {}
tool_ids = SessionVar[dict[str, str]]("tool_ids", factory=dict)  # a nested map, one per session


@asynccontextmanager
async def open_agent() -> AsyncIterator[Agent]:
    yield Agent()  # in earnest: a client of the model, a database connection, a task group


async def start_agent(s: sessionstate.Session) -> Agent:
    agents[s.id] = agent = await s.enter_async_context(open_agent())
    return agent


async def converse(socket: ServerConnection, *, linger: float, stall_timeout: float) -> None:
    conversation = socket.request.path.strip("/") if socket.request else ""
    try:
        async with session(conversation or None, linger=linger, stall_timeout=stall_timeout) as s:
            # Once per session: a client that comes back, or a second socket, shares it.
            agent = await s.get_or_create("agent", partial(start_agent, s))
            async for message in socket:
                s.touch()  # without it, the session ends as "stalled"
                tool_ids.get()[f"call-{len(agent.transcript)}"] = "search"
                await socket.send(await agent.answer(message))
    except SessionClosed as closed:  # ended by somebody else: tell the client why
        await socket.close(1001, f"session {closed.reason}")
    except ConnectionClosed:
        pass  # the client went without a goodbye; its session ended as "failed"


def tell(s: sessionstate.Session, reason: sessionstate.CloseReason) -> None:
    questions, calls = len(agents[s].transcript), len(tool_ids.get(s))  # readable until the end
    print(f"{s.id} ended: {reason}, {questions} questions, {calls} tool calls")


async def main(*, linger: float = 60.0, stall_timeout: float = 300.0) -> None:
    handler = partial(converse, linger=linger, stall_timeout=stall_timeout)
    async with Supervisor() as supervisor, serve(handler, "127.0.0.1", 0) as server:
        supervisor.on_close(tell)
        url = "ws://{}:{}".format(*next(iter(server.sockets)).getsockname())
        for question in ("hello", "hello again"):  # the second connection finds the agent in place
            async with connect(f"{url}/back") as socket:
                await socket.send(question)
                print(f"back: {await socket.recv(decode=True)}")
        async with connect(f"{url}/silent") as socket:
            await socket.wait_closed()
            print(f"silent: {socket.close_reason}")
        print(f"left: {len(supervisor)} sessions, {len(agents)} agents")


if __name__ == "__main__":
    sessionstate.run(main(linger=0.2, stall_timeout=1.0))
