"""
Made-up figures: what may leak, and what was counted.
"""

from __future__ import annotations

import random
from typing import Any, cast

from sessionstate.dashboard._source import Counted, ResourceOf, Suspect

MB = 2**20


def suspects(at: float, *, leaks: bool) -> list[Suspect]:
    """
    Return what may leak, the worst first.
    """
    chance = random.Random(7).random
    noise = [20 + chance() for _ in range(60)]
    flat = Suspect(
        name="transcripts",
        kind="map",
        unit="entries",
        per="requests",
        slope=0.02,
        low=-0.3,
        high=0.35,
        count=212,
        verdict="bounded",
        since=None,
        values=noise,
    )
    unsure = flat | Suspect(
        name="callback",
        kind="resource",
        unit="resources",
        slope=5.2,
        low=-0.8,
        high=None,
        count=402,
        verdict="inconclusive",
        since=None,
        values=[n * n for n in range(20)],
    )
    if not leaks:
        return [unsure, flat]
    grows = flat | Suspect(
        name="tool_ids",
        kind="map",
        unit="entries",
        per="requests",
        slope=118.3,
        low=112.9,
        high=123.0,
        count=1447,
        verdict="leak",
        since=at - 1330,
        values=[100 + n * 21 + chance() * 30 for n in range(60)],
    )
    place = flat | Suspect(
        name="/srv/chat/agents/handlers.py:88",
        kind="site",
        unit="sessions",
        slope=4.2,
        low=3.9,
        high=4.4,
        count=241,
        verdict="leak",
        since=at - 1200,
        values=[182 + n for n in range(60)],
    )
    return [grows, place, unsure, flat]


def counted(*, leaks: bool) -> list[Counted]:
    """
    Return maps and resources, the largest first.
    """
    rows = [
        ("tool_ids", "slot", 1447, 12 if leaks else 0),
        ("agents", "slot", 231, 0),
        ("transcripts", "slot", 212, 0),
        ("task", "task", 184, 0),
        ("callback", "callback", 96, 0),
        ("context", "context", 44, 0),
        ("process", "process", 7, 0),
    ]
    return [Counted(name=n, kind=k, entries=e, orphans=o) for n, k, e, o in rows]


class Report:
    """
    A leak report, as short as can be.
    """

    def html(self) -> str:
        """
        Return it as a page.
        """
        return "<!doctype html><html lang=en><title>report</title><h1>The report</h1>"

    def as_json(self) -> str:
        """
        Return it as JSON.
        """
        return "{}"


def resource(kind: str, name: str, **more: Any) -> ResourceOf:
    """
    Return something that a session owns.
    """
    found: dict[str, Any] = {
        "kind": kind,
        "name": name,
        "type": None,
        "size": None,
        "pid": None,
        "stack": [],
    }
    return cast("ResourceOf", {**found, **more})
