"""
Serves one agent for as long as its connection lasts.
"""
import json

from services import addresses, register


async def serve_agent(reader, writer):
    hello = json.loads(await reader.readline())
    leave = register(hello["instance_id"], writer.get_extra_info("peername"))
    try:
        while await reader.readline():
            writer.write(json.dumps(addresses()).encode() + b"\n")
            await writer.drain()
    finally:
        leave()
        writer.close()
