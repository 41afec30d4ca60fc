"""
Whoever says hello also makes the lobby forget everybody that has not said hello for a minute.
"""

import time
from threading import Lock


class Lobby:
    """Players that wait for a match."""

    def __init__(self):
        self._guard = Lock()
        self._waiting = set()  # clean: the stale are subtracted at each hello
        self._hello_at = {}  # clean: popped together with the set

    def hello(self, player_id):
        now = time.monotonic()
        with self._guard:
            stale = {p for p in self._waiting if now - self._hello_at[p] > 60}
            self._waiting -= stale
            for p in stale:
                self._hello_at.pop(p)
            self._waiting.add(player_id)
            self._hello_at[player_id] = now

    def pair(self):
        with self._guard:
            if len(self._waiting) < 2:
                return None
            a, b = self._waiting.pop(), self._waiting.pop()
            del self._hello_at[a], self._hello_at[b]
            return a, b


lobby = Lobby()


def handle(message):
    lobby.hello(message["player_id"])
    return lobby.pair()
