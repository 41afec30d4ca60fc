"""
Each reference takes itself out of the set with its own callback.
"""

from __future__ import annotations

import weakref
from typing import Protocol


class Sink(Protocol):
    def feed(self, event: dict) -> None: ...


class Fanout:
    def __init__(self) -> None:
        self._sinks: set[weakref.ref[Sink]] = set()  # clean: the weakref callback discards

    def attach(self, session: Sink) -> None:
        self._sinks.add(weakref.ref(session, self._sinks.discard))

    def feed(self, event: dict) -> int:
        reached = 0
        for ref in tuple(self._sinks):
            if (sink := ref()) is not None:
                sink.feed(event)
                reached += 1
        return reached


fanout = Fanout()


class BrowserSession:
    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.unread = 0
        fanout.attach(self)

    def feed(self, event: dict) -> None:
        self.unread += 1


def handle_webhook(payload: dict) -> int:
    return fanout.feed(payload)
