"""A socket that broke is never taken out of the broadcast list, because the finally asks first whether it is open."""

import asyncio

from websockets.asyncio.server import broadcast, serve
from websockets.protocol import State

LISTENERS = set()  # leaks SS002c: a broken socket is not OPEN when the finally asks
NAMES = {}  # clean: popped in the same finally, first and with no condition


async def radio(ws):
    LISTENERS.add(ws)
    try:
        NAMES[ws.id] = await ws.recv()
        await ws.wait_closed()
    finally:
        NAMES.pop(ws.id, None)
        if ws.state is State.OPEN:
            LISTENERS.remove(ws)
            await ws.close()


async def main(songs):
    async with serve(radio, "0.0.0.0", 9000) as server:
        async for song in songs:
            broadcast(LISTENERS, song.title)
        server.close()


if __name__ == "__main__":
    from station import songs

    asyncio.run(main(songs()))
