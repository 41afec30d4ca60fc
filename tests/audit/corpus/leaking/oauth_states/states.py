"""The state of a sign-in that the user gave up stays, because old states are dropped only when the same one is used."""

from __future__ import annotations

import time

LIFETIME = 600
_states: dict[str, tuple[float, str]] = {}  # leaks SS002g: redeem() looks at one state, its own
providers = {"github": "https://github.com/login", "gitlab": "https://gitlab.com/oauth"}  # clean: constant


def issue(state: str, verifier: str) -> None:
    _states[state] = (time.time(), verifier)


def redeem(state: str) -> str | None:
    if state not in _states:
        return None
    issued, verifier = _states[state]
    if time.time() - issued > LIFETIME:
        del _states[state]
        return None
    return verifier
