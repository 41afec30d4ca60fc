"""
The row is popped in an except for every exception there is, and once more on the good path.
"""

import asyncio
import secrets


class Handshakes:
    def __init__(self, timeout=10.0):
        self.timeout = timeout
        self.half_open = {}  # clean: popped on BaseException and on success

    async def greet(self, reader, writer):
        nonce = secrets.token_hex(8)
        self.half_open[nonce] = writer.get_extra_info("peername")
        try:
            writer.write(nonce.encode() + b"\n")
            await writer.drain()
            reply = await asyncio.wait_for(reader.readline(), self.timeout)
        except BaseException:
            self.half_open.pop(nonce, None)
            raise
        self.half_open.pop(nonce, None)
        return reply.strip() == nonce[::-1].encode()


handshakes = Handshakes()


async def on_client(reader, writer):
    try:
        if await handshakes.greet(reader, writer):
            writer.write(b"welcome\n")
            await writer.drain()
    finally:
        writer.close()
