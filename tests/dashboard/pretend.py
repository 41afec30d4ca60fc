"""
A source with made-up figures, for states of the page that a real supervisor is seldom in.

It moves only when it is told to: `Pretend.tick` makes one update.
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from typing import Any, cast

from sessionstate import CloseReason
from sessionstate.dashboard._source import (
    ROWS,
    Blocked,
    Deadline,
    Detail,
    Minute,
    NotAnsweringError,
    Overview,
    Page,
    Query,
    Row,
    Sample,
    Tiles,
)
from tests.dashboard.pretend_figures import MB, Report, counted, resource, suspects

STATES = ("idle", "idle", "idle", "open", "idle", "open", "closing")
GROUPS = (None, "alice", "tenant-7", None)
PLACES = ("app/chat.py:41 in connect", "app/jobs.py:88 in run_job", "app/webhooks.py:17 in deliver")
KEYS = {
    "age": "age",
    "idle": "idle",
    "deadline": "expires_in",
    "entries": "entries",
    "resources": "resources",
    "weight": "weight",
}


class Pretend:
    """
    Sessions that do not exist, as the page gets them.

    Args:
        size: How many of them.
        leaks: Whether something grows.
        ids: What the first ones are called.
    """

    def __init__(self, size: int = 250, *, leaks: bool = False, ids: tuple[str, ...] = ()) -> None:
        self.random = random.Random(7)
        self.number = 1
        self.at = time.time()
        self.running = True
        self.closable = True
        self.allow_close = True
        self.blocked: Blocked | None = None
        self.leaks = leaks
        self.gone: set[int] = set()
        self.closed: list[tuple[int, str]] = []
        self.asked: list[Query] = []
        self.details: dict[int, dict[str, Any]] = {}
        self.rows = [self._row(number) for number in range(1, size + 1)]
        for row, name in zip(self.rows, ids, strict=False):
            row["id"] = name
        self.history = [self._sample(ago) for ago in range(720, -1, -1)] if size else []
        self.minutes = [self._minute(ago) for ago in range(59, -1, -1)] if size else []
        self.changes: dict[str, Any] = {}
        self.tiles: dict[str, Any] = {}
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._lock = threading.Lock()

    def tick(self, **changes: Any) -> None:
        """
        Make one update, a second later, in which *changes* are so from now on.
        """
        with self._lock:
            self.changes.update(changes)
            self.number += 1
            self.at += 1.0
            for row in self.rows:
                row["age"] += 1
                row["idle"] += 1
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            loop.call_soon_threadsafe(event.set)

    async def overview(self, after: int | None = None) -> Overview:
        """
        Return the newest update, or wait for one.
        """
        while after is not None and self.number <= after:
            event = asyncio.Event()
            with self._lock:
                if self.number > after:
                    break
                self._waiting.append((asyncio.get_running_loop(), event))
            await event.wait()
        found = self._overview()
        if after is None:
            found["history"] = self.history
        return found

    async def sessions(self, query: Query) -> Page:
        """
        Return a page of the table.
        """
        self._check()
        self.asked.append(query)
        live = [row for row in self.rows if row["incarnation"] not in self.gone]
        wanted = query.search.casefold()
        found = [
            row
            for row in live
            if (query.state is None or row["state"] == query.state)
            and (
                wanted in row["id"].casefold()
                or wanted in (row["group"] or "").casefold()
                or wanted in row["opened_where"].casefold()
            )
        ]
        key = KEYS[query.sort]
        never = math.inf if query.order == "asc" else -math.inf
        found.sort(
            key=lambda row: never if row[key] is None else row[key],  # type: ignore[literal-required]
            reverse=query.order == "desc",
        )
        pages = max(math.ceil(len(found) / ROWS), 1)
        page = min(query.page, pages)
        rows = found[(page - 1) * ROWS : page * ROWS]
        return Page(total=len(live), matching=len(found), page=page, pages=pages, rows=rows)

    async def session(self, incarnation: int) -> Detail | None:
        """
        Return all of one session.
        """
        self._check()
        if not 1 <= incarnation <= len(self.rows) or incarnation in self.gone:
            return None
        return self._detail(self.rows[incarnation - 1])

    async def close(self, incarnation: int, by: str) -> bool:
        """
        Note that a session was to be closed, and let it be gone.
        """
        self._check()
        if not self.closable or incarnation in self.gone:
            return False
        self.closed.append((incarnation, by))
        self.gone.add(incarnation)
        return True

    async def report(self) -> object:
        """
        Return a page that is none of ours.
        """
        self._check()
        return Report()

    def _check(self) -> None:
        if self.blocked is not None:
            raise NotAnsweringError(self.blocked)

    def _row(self, number: int) -> Row:
        chance = self.random.random
        state = STATES[number % len(STATES)]
        age = chance() ** 3 * 90_000 + 5
        left = None if number % 17 == 0 else chance() * (-9 if number % 97 == 0 else 1800)
        return Row(
            incarnation=number,
            id=f"chat-{number:05}-{self.random.getrandbits(64):016x}"[:24],
            state=cast("Any", state),
            group=GROUPS[number % len(GROUPS)],
            age=age,
            idle=age * chance() if state == "idle" else chance() * 10,
            expires_in=left,
            entries=self.random.randrange(12),
            resources=self.random.randrange(9),
            weight=self.random.choice((1.0, 1.0, 1.0, 2.5)),
            holders=1 if state == "open" else 0,
            children=number % 13 == 0,
            opened_where=PLACES[number % len(PLACES)],
        )

    def _sample(self, ago: int) -> Sample:
        done = 720 - ago
        swing = math.sin(done / 40) + self.random.random() / 4
        rss = 182 * MB + int(swing * 4 * MB) + (done * MB // 14 if self.leaks else 0)
        live = max(int(len(self.rows) * (0.9 + swing / 14)), 0)
        orphans = None if done < 30 else (done // 60 if self.leaks else 0)
        return Sample(at=self.at - ago * 2, requests=done * 17, live=live, orphans=orphans, rss=rss)

    def _minute(self, ago: int) -> Minute:
        draw = self.random.randrange
        counts = {
            "completed": draw(30, 60),
            "deleted": draw(4, 14),
            "idle": draw(6, 22),
            "stalled": draw(3),
            "failed": draw(10) == 0,
            "expired": draw(4),
            "evicted": 9 if 20 < ago < 26 else 0,
            "resource_failed": draw(20) == 0,
        }
        at = (self.at // 60 - ago) * 60
        return Minute(at=at, reasons={name: int(n) for name, n in counts.items() if n})

    def _overview(self) -> Overview:
        reasons = {str(reason): 0 for reason in CloseReason}
        for minute in self.minutes:
            for name, number in minute["reasons"].items():
                reasons[name] += number
        sample = self._sample(0)
        sample["at"] = self.at
        sample["requests"] += self.number
        live = [row for row in self.rows if row["incarnation"] not in self.gone]
        found = Overview(
            number=self.number,
            at=self.at,
            supervisor="chat-server",
            running=self.running,
            uptime=11_400.0 + self.number,
            allow_close=self.allow_close,
            blocked=self.blocked,
            tiles=self._tiles(live, sample),
            sample=sample,
            minutes=self.minutes,
            reasons=reasons,
            deadlines=self._deadlines(live),
            suspects=suspects(self.at, leaks=self.leaks) if self.rows else [],
            counted=counted(leaks=self.leaks) if self.rows else [],
            counted_ago=12.0 if self.rows else None,
        )
        return cast("Overview", {**found, **self.changes})

    def _tiles(self, live: list[Row], sample: Sample) -> Tiles:
        states = [row["state"] for row in live]
        some = bool(self.rows)
        found = Tiles(
            live=len(live),
            held=states.count("open"),
            idle=states.count("idle"),
            closing=states.count("closing"),
            unbounded=0,
            opened_per_minute=61.4 if some else None,
            closed_per_minute=58.0 if some else None,
            requests=sample["requests"],
            requests_per_minute=1020.0 if some else None,
            automatic_share=0.31 if some else None,
            orphans=(12 if self.leaks else 0) if some else None,
            rss=sample["rss"],
            loop_delay=0.0042,
            clean_up_errors=2 if self.leaks else 0,
            stuck=0,
            abandoned=0,
            refused=0,
        )
        return cast("Tiles", {**found, **self.tiles})

    def _deadlines(self, live: list[Row]) -> list[Deadline]:
        bounded = [row for row in live if row["expires_in"] is not None]
        bounded.sort(key=lambda row: cast("float", row["expires_in"]))
        return [
            Deadline(
                incarnation=row["incarnation"],
                id=row["id"],
                seconds=cast("float", row["expires_in"]),
                reason="stalled" if row["state"] == "open" else "idle",
            )
            for row in bounded[:50]
        ]

    def _detail(self, row: Row) -> Detail:
        number = row["incarnation"]
        stack = [
            "asyncio/queues.py:186 in get",
            "app/chat.py:77 in pump",
            "app/chat.py:52 in connect",
        ]
        idle = row["state"] == "idle"
        found = Detail(
            incarnation=number,
            id=row["id"],
            state=row["state"],
            reason=None if row["expires_in"] is None else ("idle" if idle else "stalled"),
            opened_at=self.at - row["age"],
            age=row["age"],
            idle=row["idle"],
            expires_in=row["expires_in"],
            group=row["group"],
            weight=row["weight"],
            opened_where=row["opened_where"],
            opened_by=[row["opened_where"], "app/server.py:120 in serve"],
            used_at=["app/chat.py:63 in receive"],
            orphan=None,
            parent={"incarnation": 1, "id": self.rows[0]["id"], "state": "open"}
            if number != 1
            else None,
            children=[
                {"incarnation": child["incarnation"], "id": child["id"], "state": child["state"]}
                for child in self.rows[number : number + 2]
            ],
            holders=[]
            if idle
            else [{"where": "owner in Task-81 at app/chat.py:41", "stack": stack}],
            resources=[
                resource("slot", "agents", type="Agent", size=48),
                resource("slot", "transcripts", type="list", size=8056),
                resource("slot", "tool_ids", type="dict", size=232),
                resource("task", "Task-82 (pump)", stack=stack),
                resource("task", "Task-83 (heartbeat)", stack=["asyncio/tasks.py:665 in sleep"]),
                resource("context", "connect", type="Connection"),
                resource("process", "python tool.py", pid=40172),
                resource("callback", "gauge.dec"),
            ],
            more_resources=0,
            events=[
                {"at": self.at - row["age"], "what": "opened"},
                {"at": self.at - row["idle"], "what": "released by the last holder"},
            ],
        )
        return cast("Detail", {**found, **self.details.get(number, {})})
