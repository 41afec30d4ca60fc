"""The websocket that asks for the rights."""

import uuid

from memo_under_alias import lookups


async def serve(ws):
    connection_id = uuid.uuid4().hex
    await ws.send_json({"pages": lookups.pages_of(ws.user.group)})
    async for message in ws.iter_json():
        if message["verb"] in lookups.rights_of(connection_id, ws.user.group):
            await ws.app.state.do(message)
