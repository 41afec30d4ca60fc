"""
The inner try handles errors of one message, and the outer finally removes the player.
"""

import json
import logging

from aiohttp import WSMsgType, web

logger = logging.getLogger(__name__)


class Arena:
    def __init__(self) -> None:
        self.players: dict[str, web.WebSocketResponse] = {}  # clean: outer finally

    async def play(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(heartbeat=20)
        await ws.prepare(request)
        player_id = request.query["player_id"]
        self.players[player_id] = ws
        try:
            async for msg in ws:
                if msg.type is not WSMsgType.TEXT:
                    break
                try:
                    await self.move(player_id, json.loads(msg.data))
                except (ValueError, KeyError):
                    logger.warning("bad move of %s", player_id)
                    await ws.send_json({"error": "bad move"})
        finally:
            if self.players.get(player_id) is ws:
                del self.players[player_id]
        return ws

    async def move(self, player_id: str, move: dict) -> None:
        for other, ws in list(self.players.items()):
            if other != player_id:
                await ws.send_json({"player": player_id, "x": move["x"], "y": move["y"]})


arena = Arena()
app = web.Application()
app.router.add_get("/arena", arena.play)
