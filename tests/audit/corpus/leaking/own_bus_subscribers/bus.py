"""A small event bus, which keeps whom it is given until off() is called."""

from collections import defaultdict


class Bus:
    def __init__(self):
        self._handlers = defaultdict(list)  # counted at the registration in session.py

    def on(self, event, handler):
        self._handlers[event].append(handler)

    def off(self, event, handler):
        self._handlers[event].remove(handler)

    def emit(self, event, *args):
        for handler in list(self._handlers[event]):
            handler(*args)


bus = Bus()
