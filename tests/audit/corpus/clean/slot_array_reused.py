"""
Sessions are put in an array with a fixed number of slots, and a full array refuses.
"""
import struct


class Table:
    SLOTS = 128

    def __init__(self):
        self.slots = [None] * self.SLOTS  # clean: fixed length, given back in finally

    def claim(self, session_id):
        for n, held in enumerate(self.slots):
            if held is None:
                self.slots[n] = session_id
                return n
        raise OverflowError(f"all {self.SLOTS} slots are taken")

    def free(self, n):
        self.slots[n] = None


table = Table()


async def serve(reader, writer):
    (session_id,) = struct.unpack("!Q", await reader.readexactly(8))
    n = table.claim(session_id)
    try:
        while data := await reader.read(1024):
            writer.write(bytes([n]) + data)
            await writer.drain()
    finally:
        table.free(n)
        writer.close()
