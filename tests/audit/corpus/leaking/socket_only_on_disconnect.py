"""A socket stays in the room when its client breaks the protocol, because only a WebSocketDisconnect takes it out."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


class Room:
    def __init__(self):
        self.members: dict[str, WebSocket] = {}  # leaks SS002a: a KeyError or a cancellation goes past the except
        self.topics = ("general", "random")

    async def shout(self, sender, text):
        for name, ws in list(self.members.items()):
            if name != sender:
                await ws.send_json({"from": sender, "text": text})


room = Room()


@app.websocket("/room/{name}")
async def enter(ws: WebSocket, name: str):
    await ws.accept()
    room.members[name] = ws
    try:
        while True:
            data = await ws.receive_json()
            await room.shout(name, data["text"])
    except WebSocketDisconnect:
        del room.members[name]
        await room.shout(name, "left")
