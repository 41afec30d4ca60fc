"""
A program that only sees events: nobody calls it at a session's start, and hardly ever at its end.

With ``adopt=True`` the first write for an id opens its session. The event "session.deleted" ends it
early when it comes; when it does not come, *idle_timeout* seconds without an event do.

    python examples/only_events.py
"""

import asyncio
import json
from collections import Counter
from functools import partial

import sessionstate
from sessionstate import CloseReason, Session, SessionMap, Supervisor

agent_names = SessionMap[str]("agent_names", adopt=True)  # was: agent_names: dict[str, str] = {}
tool_calls = SessionMap[dict[str, str]]("tool_calls", adopt=True)  # nobody has to remember this one


async def follow(reader: asyncio.StreamReader, supervisor: Supervisor) -> None:
    async for line in reader:
        event = json.loads(line)
        match event["type"]:
            case "message":
                agent_names[event["session"]] = event["agent"]
            case "tool":
                tool_calls.setdefault(event["session"], {})[event["call"]] = event["tool"]
            case "session.deleted":
                supervisor.close_soon(event["session"])  # the hint; unknown ids are fine
            case _:
                pass


async def send_events(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # As seen in production: 8 of 100 are deleted, the others are just left.
    for number, deleted in enumerate([True] * 8 + [False] * 92):
        name = f"session-{number}"
        events = [
            {"type": "message", "session": name, "agent": "explorer"},
            {"type": "tool", "session": name, "call": "t1", "tool": "read_file"},
        ]
        if deleted:
            events.append({"type": "session.deleted", "session": name})
        writer.writelines(json.dumps(event).encode() + b"\n" for event in events)
    await writer.drain()
    writer.close()


def count(reasons: Counter[CloseReason], _: Session, reason: CloseReason) -> None:
    reasons[reason] += 1


async def main(*, idle_timeout: float = 1800.0) -> None:
    reasons: Counter[CloseReason] = Counter()
    async with (
        await asyncio.start_server(send_events, "127.0.0.1", 0) as source,
        Supervisor(idle_timeout=idle_timeout) as supervisor,
    ):
        supervisor.on_close(partial(count, reasons))
        reader, writer = await asyncio.open_connection(*source.sockets[0].getsockname())
        await follow(reader, supervisor)
        writer.close()
        print(f"the stream is over: {len(agent_names)} agents, {len(tool_calls)} maps")
        for s in list(supervisor.values()):
            await s.wait_closed()
        by_event, by_deadline = reasons[CloseReason.DELETED], reasons[CloseReason.IDLE]
        print(f"ended: {by_event} by event, {by_deadline} by deadline")
        print(
            f"left: {len(supervisor)} sessions, {len(agent_names)} agents, {len(tool_calls)} maps"
        )


if __name__ == "__main__":
    sessionstate.run(main(idle_timeout=1.0))
