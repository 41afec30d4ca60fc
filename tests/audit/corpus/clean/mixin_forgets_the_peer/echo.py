"""
An echo service.
"""
import asyncio
from itertools import count

from tracking import TrackedPeers


class Service:
    def __init__(self, port):
        self.port = port


class Echo(TrackedPeers, Service):
    ids = count(1)

    async def accept(self, reader, writer):
        await self.run_tracked(next(self.ids), (reader, writer))

    async def serve_peer(self, peer_id, peer):
        reader, writer = peer
        async for line in reader:
            for other_id, (_, other) in list(self.peers.items()):
                other.write(b"%d: %b" % (other_id, line))
        writer.close()


async def main():
    echo = Echo(9007)
    server = await asyncio.start_server(echo.accept, port=echo.port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
