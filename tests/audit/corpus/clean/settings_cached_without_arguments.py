"""
The cached function has no argument, so it caches a single value.
"""
import functools
import json
import os


@functools.cache  # clean: no arguments, one row
def settings():
    path = os.environ.get("APP_SETTINGS", "settings.json")
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def session_lifetime(session):
    table = settings()["lifetimes"]
    return table.get(session.plan, table["default"])


def on_login(session):
    session.expires_in = session_lifetime(session)
    return {"session_id": session.session_id, "expires_in": session.expires_in}
