"""
Games without a move for ten minutes are dropped by expire(), which the server's background task calls.
"""

import time

GAMES = {}  # clean: expire() runs in a started background task


def move(game_id, sid, cell):
    game = GAMES.setdefault(game_id, {"cells": {}, "at": 0.0})
    game["cells"][cell % 9] = sid
    game["at"] = time.monotonic()
    return game["cells"]


def expire(limit=600):
    now = time.monotonic()
    dead = [game_id for game_id, game in GAMES.items() if now - game["at"] > limit]
    for game_id in dead:
        GAMES.pop(game_id, None)
    return dead
