"""A viewer who leaves while nothing is sent stays in the list, because only a failed send takes a viewer out."""

import asyncio
import json

from sanic import Sanic
from websockets.exceptions import ConnectionClosed

app = Sanic("scores")


class Scoreboard:
    def __init__(self):
        self.viewers = []  # leaks SS002a: removed in 'except ConnectionClosed' of a send that may never come
        self.scores = {"home": 0, "guests": 0}  # clean: two sides

    async def goal(self, side):
        self.scores[side] += 1
        for ws in list(self.viewers):
            try:
                await ws.send(json.dumps(self.scores))
            except ConnectionClosed:
                self.viewers.remove(ws)


board = Scoreboard()


@app.websocket("/scores")
async def scores(request, ws):
    board.viewers.append(ws)
    await ws.send(json.dumps(board.scores))
    while True:
        await asyncio.sleep(3600)
