"""Where the listeners of all feeds are kept."""

_listeners = {"trade": [], "book": []}  # counted at the registration in client.py


def add_listener(kind, fn):
    _listeners[kind].append(fn)


def remove_listener(kind, fn):
    if fn in _listeners[kind]:
        _listeners[kind].remove(fn)


async def dispatch(kind, item):
    for fn in tuple(_listeners[kind]):
        await fn(item)
