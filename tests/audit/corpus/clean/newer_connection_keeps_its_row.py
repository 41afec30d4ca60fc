"""
The finally deletes the row unless a newer connection of the same agent has taken it over.
"""
import websockets.exceptions
from websockets.asyncio.server import serve

agents = {}  # clean: identity-guarded delete in finally; a successor deletes its own


async def agent_link(conn):
    agent_id = conn.request.headers["X-Agent-Id"]
    previous = agents.get(agent_id)
    agents[agent_id] = conn
    try:
        if previous is not None:
            await previous.close(code=4000, reason="replaced")
        async for frame in conn:
            await conn.send(f"ack {len(frame)}")
    except websockets.exceptions.ConnectionClosedError:
        pass
    finally:
        if agents.get(agent_id) is conn:
            del agents[agent_id]


async def main():
    async with serve(agent_link, "", 8900) as server:
        await server.serve_forever()
