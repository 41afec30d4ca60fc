"""A player who loses the network stays in the match, because the relay handles the polite close and no other."""

import json

import websockets
from websockets.exceptions import ConnectionClosedOK

MATCHES = {}  # leaks SS002a: ConnectionClosedError is not ConnectionClosedOK
RULES = {"chess": 2, "hearts": 4}  # clean: constants


async def relay(ws):
    hello = json.loads(await ws.recv())
    player, game = hello["player"], hello["game"]
    if game not in RULES:
        await ws.close(4000, "unknown game")
        return
    MATCHES[player] = (game, ws)
    try:
        while True:
            move = await ws.recv()
            for other, (their_game, their_ws) in MATCHES.items():
                if other != player and their_game == game:
                    await their_ws.send(move)
    except ConnectionClosedOK:
        MATCHES.pop(player)
