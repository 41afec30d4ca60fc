"""
Noughts and crosses over socket.io.
"""

import eventlet.wsgi
import socketio

from . import games

sio = socketio.Server(async_mode="eventlet")
app = socketio.WSGIApp(sio)


def housekeeping():
    while True:
        sio.sleep(60)
        for game_id in games.expire():
            sio.close_room(game_id)


@sio.event
def join(sid, data):
    sio.enter_room(sid, data["game_id"])


@sio.event
def play(sid, data):
    cells = games.move(data["game_id"], sid, int(data["cell"]))
    sio.emit("cells", cells, room=data["game_id"])


if __name__ == "__main__":
    sio.start_background_task(housekeeping)
    eventlet.wsgi.server(eventlet.listen(("", 5000)), app)
