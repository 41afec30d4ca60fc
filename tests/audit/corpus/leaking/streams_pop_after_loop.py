"""A client that resets its connection stays in the table, because the line that takes it out comes after the loop that may raise."""

import asyncio
import contextlib

clients: dict[tuple, asyncio.StreamWriter] = {}  # leaks SS002b: ConnectionResetError jumps over the pop


async def broadcast(line: bytes) -> None:
    for writer in list(clients.values()):
        with contextlib.suppress(ConnectionError):
            writer.write(line)
            await writer.drain()


async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    peer = writer.get_extra_info("peername")
    clients[peer] = writer
    while line := await reader.readline():
        await broadcast(line)
    clients.pop(peer)
    writer.close()
    await writer.wait_closed()


async def main() -> None:
    server = await asyncio.start_server(on_connect, "127.0.0.1", 9100)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
