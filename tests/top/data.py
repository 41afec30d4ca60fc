"""
Made-up sessions and updates, and ids that nobody should have.
"""

from __future__ import annotations

from typing import Any

from sessionstate import CloseReason
from sessionstate.dashboard._source import Detail, Row, State

HOSTILE = (
    "[red]markup[/red]",
    "\x1b[31mescape\x07\r\n\t",
    "\u202eright\u202d to left \u05e9\u05dc\u05d5\u05dd",
    "\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57" * 20,
    "z\u0301\u0301\u0301\u0301\u0301\u0301algo",
    "\ud800 alone",
    "very long " * 300,
    "\u2066emoji \U0001f469\u200d\U0001f4bb\ufe0f",
)
START = 1_790_000_000.0
REASONS = {reason.value: at * 7 for at, reason in enumerate(CloseReason)}


def row(number: int, id_: str | None = None) -> Row:
    """
    Make a session of the table.
    """
    state: State = ("open", "idle", "idle", "closing")[number % 4]  # type: ignore[assignment]
    return Row(
        incarnation=number,
        id=f"chat-{number:04}" if id_ is None else id_,
        state=state,
        group=None if number % 3 else f"tenant-{number % 5}",
        age=3600.0 * 5 - number * 37.5,
        idle=float(number * 13 % 1800),
        expires_in=None if state == "open" else 1800.0 - number * 13 % 1810,
        entries=number * 7 % 40,
        resources=number * 5 % 11,
        weight=1.0,
        holders=1 if state == "open" else 0,
        children=2 if number % 10 == 0 else 0,
        opened_where="app/handlers.py:42 in chat",
    )


def detail_of(found: Row) -> Detail:
    """
    Make all of a session.
    """
    number = found["incarnation"]
    return Detail(
        incarnation=number,
        id=found["id"],
        state=found["state"],
        reason="idle" if found["state"] == "idle" else None,
        opened_at=START - found["age"],
        age=found["age"],
        idle=found["idle"],
        expires_in=found["expires_in"],
        group=found["group"],
        weight=found["weight"],
        opened_where=found["opened_where"],
        opened_by=["app/handlers.py:42 in chat", "app/server.py:7 in serve"],
        used_at=["app/handlers.py:58 in answer"],
        orphan="its client is gone" if number == 3 else None,
        parent={"incarnation": 1, "id": "chat-0001", "state": "open"} if number == 2 else None,
        children=[
            {"incarnation": number + at, "id": f"chat-{number + at:04}", "state": "open"}
            for at in range(1, found["children"] + 1)
        ],
        holders=[
            {"where": "app/handlers.py:42 in chat", "stack": ["asyncio/queues.py:158 in get"]}
        ],
        resources=[
            {
                "kind": "slot",
                "name": "agents",
                "type": "app.Agent",
                "size": 1_400,
                "pid": None,
                "stack": [],
            },
            {
                "kind": "task",
                "name": "stream [red]markup[/red]",
                "type": None,
                "size": None,
                "pid": None,
                "stack": ["app/handlers.py:71 in stream", "asyncio/streams.py:501 in read"],
            },
            {
                "kind": "process",
                "name": "git clone",
                "type": None,
                "size": None,
                "pid": 4321,
                "stack": [],
            },
        ],
        more_resources=12 if number == 4 else 0,
        events=[{"at": START, "what": "opened"}, {"at": START + 3, "what": "used"}],
    )


def sample(number: int) -> dict[str, Any]:
    """
    Make a point of the curves.
    """
    live = 100 + number * 13 % 40
    return {
        "at": START + number,
        "requests": number * 9,
        "live": live,
        "orphans": 0,
        "rss": 90_000_000 + number * number % 37 * 1_000_000,
    }


def overview(number: int) -> dict[str, Any]:
    """
    Make an update.
    """
    return {
        "number": number,
        "at": START + number,
        "supervisor": "chat-server",
        "running": True,
        "uptime": 7384.0 + number,
        "allow_close": True,
        "blocked": None,
        "tiles": {
            "live": 250,
            "held": 62,
            "idle": 126,
            "closing": 62,
            "unbounded": 0,
            "opened_per_minute": 118.4,
            "closed_per_minute": 117.0,
            "requests": 24_310,
            "requests_per_minute": 1430.5,
            "automatic_share": 0.618,
            "orphans": 0,
            "rss": 123_456_789,
            "loop_delay": 0.0021,
            "clean_up_errors": 0,
            "stuck": 0,
            "abandoned": 0,
            "refused": 0,
        },
        "sample": sample(number),
        "minutes": [
            {"at": START + at * 60, "reasons": {"idle": at * 3 % 17, "deleted": at % 5}}
            for at in range(40)
        ],
        "reasons": dict(REASONS),
        "deadlines": [
            {
                "incarnation": at,
                "id": f"chat-{at:04}",
                "seconds": at * 4.5 - 3.0,
                "reason": "idle" if at % 3 else "expired",
            }
            for at in range(1, 41)
        ],
        "suspects": [
            {
                "name": "app.handlers.histories",
                "kind": "map",
                "unit": "entries",
                "slope": 412.5,
                "low": 390.0,
                "high": 431.0,
                "count": 5120,
                "verdict": "leak",
                "since": START,
                "values": [float(at * 3) for at in range(60)],
            },
            {
                "name": "process",
                "kind": "process",
                "unit": "bytes",
                "slope": 5321.0,
                "low": None,
                "high": 99_000.0,
                "count": 123_456_789,
                "verdict": "inconclusive",
                "since": None,
                "values": [1.0, 3.0, 2.0],
            },
        ],
        "counted": [
            {"name": "agents", "kind": "slot", "entries": 1830, "orphans": 0},
            {"name": "task", "kind": "task", "entries": 420, "orphans": 3},
        ],
        "counted_ago": 3.2,
    }


def history() -> list[dict[str, Any]]:
    """
    Make the samples so far.
    """
    return [sample(number) for number in range(-200, 1)]
