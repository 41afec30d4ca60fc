"""
The map holds rooms weakly, and only the connections inside a room hold it.
"""
import weakref

import websockets


class Room:
    def __init__(self, name):
        self.name = name
        self.members = set()


rooms = weakref.WeakValueDictionary()  # clean: a room without a connection is collected


def room_for(name):
    room = rooms.get(name)
    if room is None:
        room = Room(name)
        rooms[name] = room
    return room


async def handler(ws):
    name = await ws.recv()
    room = room_for(name)
    room.members.add(ws)
    try:
        async for text in ws:
            websockets.broadcast(room.members, text)
    finally:
        room.members.discard(ws)


async def main():
    async with websockets.serve(handler, "127.0.0.1", 8765) as server:
        await server.serve_forever()
