"""
All calls of register() are at module level, and nothing calls it while the server runs.
"""
import json

_handlers = {}  # clean: register() is called at import only


def register(kind, handler):
    if kind in _handlers:
        raise RuntimeError("handler for %s registered twice" % kind)
    _handlers[kind] = handler


def on_created(event):
    return "created " + event["session_id"]


def on_deleted(event):
    return "deleted " + event["session_id"]


register("session.created", on_created)
register("session.deleted", on_deleted)
register("ping", lambda event: "pong")


def consume(raw):
    event = json.loads(raw)
    handler = _handlers.get(event["type"])
    return handler(event) if handler else None
