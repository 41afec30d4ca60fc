"""
Accepts viewers.
"""
import asyncio

import websockets

from session import ViewerSession


async def accept(ws):
    session = ViewerSession(ws, doc_id=ws.path.strip("/"))
    try:
        await session.run()
    finally:
        await session.aclose()


async def main():
    async with websockets.serve(accept, "", 8080):
        await asyncio.Event().wait()


asyncio.run(main())
