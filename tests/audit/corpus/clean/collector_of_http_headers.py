"""
The object that collects headers is made in data_received's protocol, which dies with its transport.
"""

from __future__ import annotations

import asyncio


class HeaderProtocol(asyncio.Protocol):
    def __init__(self) -> None:
        self.headers: dict[str, str] = {}  # clean: asyncio makes one protocol for each connection
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n" in self.buffer:
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            if not line:
                session_id = self.headers.get("x-session-id", "none")
                self.transport.write(f"HTTP/1.0 200 OK\r\n\r\n{session_id}\n".encode())
                self.transport.close()
                return
            key, _, value = line.decode("latin-1").partition(":")
            self.headers[key.strip().lower()] = value.strip()


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(HeaderProtocol, "127.0.0.1", 8000)
    async with server:
        await server.serve_forever()
