"""
Handlers in a TaskGroup: the end of one session must not take its siblings along.

A session that somebody else ended raises SessionClosed from its ``async with``, and an error in one
task of a group cancels all the others. Where an end is no error, say so: suppress it in each task.

    python examples/siblings.py
"""

import asyncio
from contextlib import closing, suppress

import sessionstate
from sessionstate import CloseReason, Session, SessionClosed, SessionMap, Supervisor, session

readings = SessionMap[list[str]]("readings")


async def watch(name: str, port: int, *, stall_timeout: float) -> None:
    with suppress(SessionClosed):
        async with session(name, stall_timeout=stall_timeout) as s:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            s.callback(writer.close)
            writer.write(f"{name}\n".encode())
            readings[s] = []
            async for line in reader:
                readings[s].append(line.decode().strip())  # a look-up touches: no s.touch() needed


async def feed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer):
        name = (await reader.readline()).decode().strip()
        writer.write(f"{name} 1\n".encode())
        if name == "dull":
            await reader.read()  # says nothing more, and does not hang up either
            return
        for number in (2, 3, 4):
            await asyncio.sleep(0.2)
            writer.write(f"{name} {number}\n".encode())


def tell(s: Session, reason: CloseReason) -> None:
    print(f"{s.id}: {reason}, {len(readings[s])} readings")


async def main(*, stall_timeout: float = 300.0) -> None:
    async with (
        await asyncio.start_server(feed, "127.0.0.1", 0) as server,
        Supervisor() as supervisor,
    ):
        supervisor.on_close(tell)
        port = server.sockets[0].getsockname()[1]
        async with asyncio.TaskGroup() as group:
            for name in ("dull", "lively", "merry"):
                group.create_task(watch(name, port, stall_timeout=stall_timeout))
        print(f"left: {len(supervisor)} sessions, {len(readings)} readings")


if __name__ == "__main__":
    sessionstate.run(main(stall_timeout=0.5))
