"""
The handler removes its listener from the emitter in a finally, with the very same function.
"""
import asyncio

from pyee.asyncio import AsyncIOEventEmitter

prices = AsyncIOEventEmitter()


async def feed(ws, session_id):
    inbox = asyncio.Queue(maxsize=50)

    def on_price(symbol, value):
        if not inbox.full():
            inbox.put_nowait((session_id, symbol, value))

    prices.on("price", on_price)  # clean: remove_listener in finally
    try:
        while True:
            _, symbol, value = await inbox.get()
            await ws.send(f"{symbol} {value:.2f}")
    finally:
        prices.remove_listener("price", on_price)


async def ticker(source):
    async for symbol, value in source:
        prices.emit("price", symbol, value)
