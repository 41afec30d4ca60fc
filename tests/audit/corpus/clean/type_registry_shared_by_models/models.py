"""
The events of a session.
"""

from __future__ import annotations

from dataclasses import dataclass

from .registry import build, event


@event("session.started")
@dataclass
class SessionStarted:
    session_id: str


@event("session.idle")
@dataclass
class SessionIdle:
    session_id: str
    seconds: float = 0.0


def on_webhook(body: dict) -> str:
    return repr(build(body))
