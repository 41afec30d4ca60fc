"""
Before: a module-level dict, emptied by an event that most clients never send.

    python examples/dict_before.py      # compare with dict_after.py
"""

import asyncio
from contextlib import closing, suppress


class Agent:
    """What a conversation needs; in earnest, megabytes of it."""

    turns = 0

    def answer(self, question: str) -> str:
        """Count the turn and answer."""
        self.turns += 1
        return f"{self.turns}: {question}"


agents: dict[str, Agent] = {}


async def converse(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    agents[name] = Agent()
    async for line in reader:
        if line == b"bye\n":
            del agents[name]  # the only way out
            return
        writer.write(agents[name].answer(line.decode()).encode())
        await writer.drain()


async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    name = "{}:{}".format(*writer.get_extra_info("peername"))
    with suppress(ConnectionError), closing(writer):
        await converse(name, reader, writer)


async def client(port: int, *, polite: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello\nbye\n" if polite else b"hello\n")
    writer.write_eof()
    await reader.read()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for polite in [True] * 3 + [False] * 7:
            await client(port, polite=polite)
        print(f"10 conversations, 3 goodbyes, {len(agents)} agents left")


if __name__ == "__main__":
    asyncio.run(main())
