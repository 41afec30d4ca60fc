"""Every room that ever had a guest keeps its empty set, because leaving takes out the guest and not the room."""

from collections import defaultdict

from fastapi import FastAPI, WebSocket


class ConnectionManager:
    def __init__(self):
        self.rooms: dict[str, set[WebSocket]] = defaultdict(set)  # leaks SS002f: the room's key stays with an empty set
        self.nicknames: dict[WebSocket, str] = {}  # clean: popped in leave(), which is called in a finally

    def join(self, room_id, ws, nick):
        self.nicknames[ws] = nick
        self.rooms[room_id].add(ws)

    def leave(self, room_id, ws):
        self.rooms[room_id].discard(ws)
        self.nicknames.pop(ws, None)


manager = ConnectionManager()
app = FastAPI()


@app.websocket("/r/{room_id}")
async def room(ws: WebSocket, room_id: str, nick: str = "anon"):
    await ws.accept()
    try:
        manager.join(room_id, ws, nick)
        async for text in ws.iter_text():
            for peer in set(manager.rooms[room_id]):
                await peer.send_text(f"{manager.nicknames[ws]}: {text}")
    finally:
        manager.leave(room_id, ws)
