"""The players' side."""

from .lobby import arrive, away, sit


async def play(ws, player_id):
    arrive(player_id)
    try:
        sit(player_id, (await ws.receive_json())["table"])
        async for _ in ws.iter_json():
            pass
    finally:
        away(player_id)
