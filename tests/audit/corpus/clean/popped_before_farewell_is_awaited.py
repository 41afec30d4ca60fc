"""
The finally pops first and awaits after, so a second cancellation finds the map already clean.
"""

from __future__ import annotations

import asyncio
import contextlib


class Relay:
    def __init__(self) -> None:
        self.tunnels: dict[str, asyncio.StreamWriter] = {}  # clean: popped first thing in finally

    async def tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tunnel_id = (await reader.readline()).decode().strip()
        self.tunnels[tunnel_id] = writer
        try:
            await self.pump(tunnel_id, reader)
        finally:
            self.tunnels.pop(tunnel_id, None)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def pump(self, tunnel_id: str, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65536):
            for other_id, other in list(self.tunnels.items()):
                if other_id != tunnel_id:
                    other.write(data)
                    await other.drain()


async def main() -> None:
    relay = Relay()
    server = await asyncio.start_server(relay.tunnel, port=4443)
    await server.serve_forever()
