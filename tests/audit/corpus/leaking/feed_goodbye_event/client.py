"""A client that vanishes keeps its listener on the trades, because it is taken off when the 'goodbye' message comes."""

from feed_goodbye_event import feeds


class FeedClient:
    def __init__(self, ws):
        self.ws = ws

    async def on_trade(self, trade):
        if not self.ws.closed:
            await self.ws.send_json(trade)

    async def run(self):
        feeds.add_listener("trade", self.on_trade)  # leaks SS004b: only 'goodbye' removes it
        async for message in self.ws:
            match message["type"]:
                case "ping":
                    await self.ws.send_json({"type": "pong"})
                case "goodbye":
                    feeds.remove_listener("trade", self.on_trade)
                    await self.ws.close()
