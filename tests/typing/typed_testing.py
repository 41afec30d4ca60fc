"""
The types of `sessionstate.testing`; checked by mypy and pyright, never run.
"""

import asyncio
from typing import assert_type

from sessionstate import Resource, Session, Supervisor, supervisors
from sessionstate.testing import (
    Census,
    Exploration,
    LeakReport,
    Leftover,
    Mode,
    Verdict,
    VirtualClock,
    VirtualLoop,
    census,
    explore,
    leakcheck,
    no_leaks,
)


async def drive(supervisor: Supervisor) -> int:
    """A scenario may return anything."""
    return len(supervisor)


async def request(number: int) -> None:
    """One request."""


def clocks() -> None:
    """A clock is a function that returns seconds, and makes loops."""
    clock = VirtualClock(autojump=False)
    assert_type(clock(), float)
    assert_type(clock.new_event_loop(), VirtualLoop)
    assert_type(clock.run(asyncio.sleep(1, result="a")), str)


def exploring() -> None:
    """An exploration tells how many runs were made of each mode."""
    done = explore(drive, setup=Supervisor, modes=[Mode.CANCEL, "throw"], raises=ValueError)
    assert_type(done, Exploration)
    assert_type(done.runs[Mode.CANCEL], int)


async def looking(session: Session) -> None:
    """What is there is told by value."""
    assert_type(supervisors(), list[Supervisor])
    assert_type(session.resources(), list[Resource])
    before = census()
    assert_type(before, Census)
    assert_type(census().since(before), list[Leftover])
    async with no_leaks(ignore=["task *"]):
        pass
    report = await leakcheck(request)
    assert_type(report, LeakReport)
    assert_type(report.verdict, Verdict)
