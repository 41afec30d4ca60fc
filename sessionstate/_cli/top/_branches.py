"""
All of one session, as a tree of lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sessionstate._cli.top._words import clock_time, counted, duration, number, size, until

if TYPE_CHECKING:
    from sessionstate.dashboard._source import Detail, Relative, ResourceOf


@dataclass
class Branch:
    """
    A line, and those below it.
    """

    key: str
    """Unique among its siblings; the same in the next update."""
    label: str
    below: list[Branch] = field(default_factory=list["Branch"])
    goes_to: int | None = None
    """A session that Enter shows."""
    is_open: bool = True
    is_place: bool = False
    """Whether it is a line of source code, whose end says most."""


def summary(detail: Detail) -> list[str]:
    """
    Return the sentences above the tree.
    """
    ends = f"ends in {until(detail['expires_in'])}"
    if detail["expires_in"] is None:
        ends = "has no deadline"
    elif detail["expires_in"] < 0:
        ends = f"is overdue by {duration(-detail['expires_in'])}"
    if detail["reason"]:
        ends += f", as {detail['reason']}"
    first = f"{detail['state']}, life {detail['incarnation']}, {ends}"
    second = (
        f"opened {duration(detail['age'])} ago, at {clock_time(detail['opened_at'])}; "
        f"used {duration(detail['idle'])} ago; weight {number(detail['weight'])}"
    )
    lines = [first, second]
    if detail["group"] is not None:
        lines.append(f"group {detail['group']}")
    lines.append(f"opened in {detail['opened_where']}")
    if detail["orphan"]:
        lines.append(f"ORPHAN: {detail['orphan']}")
    return lines


def branches(detail: Detail) -> list[Branch]:
    """
    Return what hangs on a session.
    """
    found: list[Branch] = []
    if detail["parent"]:
        parent = detail["parent"]
        found.append(Branch("parent", "parent", [_relative(parent)]))
    holders = [
        Branch(f"{at}", f"inside at {each['where']}", _stack(each["stack"]))
        for at, each in enumerate(detail["holders"])
    ]
    found.append(Branch("holders", _title("holder", holders), holders))
    found += _resources(detail)
    children = [_relative(each) for each in detail["children"]]
    found.append(Branch("children", _title("child", children), children))
    events = [
        Branch(f"{at}", f"{clock_time(each['at'])}  {each['what']}")
        for at, each in enumerate(reversed(detail["events"]))
    ]
    found.append(Branch("events", f"events ({len(events)}, the last first)", events))
    for key, title in (("opened_by", "opened by"), ("used_at", "used at")):
        stack = _stack(detail["opened_by"] if key == "opened_by" else detail["used_at"])
        if stack:
            found.append(Branch(key, title, stack, is_open=False))
    return found


def _resources(detail: Detail) -> list[Branch]:
    kinds: dict[str, list[Branch]] = {}
    for at, each in enumerate(detail["resources"]):
        below = _stack(each["stack"])
        kinds.setdefault(each["kind"], []).append(Branch(f"{at}", _resource(each), below))
    found = [Branch(f"kind {kind}", _title(kind, below), below) for kind, below in kinds.items()]
    if not kinds:
        found.append(Branch("nothing", "owns nothing"))
    if detail["more_resources"]:
        found.append(Branch("more", f"and {counted(detail['more_resources'], 'resource')} more"))
    return found


def _resource(each: ResourceOf) -> str:
    told = [each["name"]]
    if each["type"] is not None:
        told.append(each["type"])
    if each["size"] is not None:
        told.append(size(each["size"]))
    if each["pid"] is not None:
        told.append(f"process {each['pid']}")
    return ", ".join(told)


def _relative(each: Relative) -> Branch:
    label = f"{each['id']}, {each['state']} (Enter: show it)"
    return Branch(f"{each['incarnation']}", label, goes_to=each["incarnation"])


def _stack(frames: list[str]) -> list[Branch]:
    return [Branch(f"{at}", frame, is_place=True) for at, frame in enumerate(frames)]


def _title(what: str, below: list[Branch]) -> str:
    what = "value" if what == "slot" else what
    plural = {"child": "children", "process": "processes"}.get(what, f"{what}s")
    return f"{what if len(below) == 1 else plural} ({len(below)})"
