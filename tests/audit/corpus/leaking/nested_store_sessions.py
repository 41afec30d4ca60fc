"""Sessions of a small JSON-like store are never dropped, because logging out only marks them."""

import secrets
import time

STORE = {
    "sessions": {},  # leaks SS001: log-out writes a flag into the row
    "settings": {"theme": "dark", "lang": "en"},  # clean: fixed keys
    "started": time.time(),
}


def login(username):
    token = secrets.token_hex(16)
    STORE["sessions"][token] = {"user": username, "at": time.time(), "active": True}
    return token


def logout(token):
    session = STORE["sessions"].get(token)
    if session:
        session["active"] = False


def whoami(token):
    session = STORE["sessions"].get(token)
    if session and session["active"]:
        return session["user"]
    return None


def uptime():
    return time.time() - STORE["started"], len(STORE["sessions"])
