"""
Alarms ring on time, whatever else is due, and leave turns to others.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from sessionstate.testing import VirtualClock, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate import Supervisor
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time


@pytest.fixture
async def work() -> Callable[[], None]:
    """
    Give a function that takes 0.1 ms of the virtual time.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return lambda: loop._move(loop.time() + 0.0001)


async def test_while_clean_ups_are_crowded(
    start_supervisor: StartSupervisor, clock: VirtualClock, log: list[str]
) -> None:
    """
    A timer does not wait while expiry waits for clean-ups to end.
    """
    supervisor = await start_supervisor(max_closing=1)
    for id in "ab":
        session = await supervisor.open(id, idle_timeout=1)
        session.push_async_callback(asyncio.sleep, 4)
    timed = await supervisor.open("c")
    timed.call_later(2, log.append, "rang")
    await clock.advance(2.01)
    assert (len(supervisor), len(supervisor._closing)) == (1, 2)
    assert log == ["rang"]
    await clock.advance(10)


async def test_in_the_middle_of_a_mass_expiry(
    start_supervisor: StartSupervisor, clock: VirtualClock, work: Callable[[], None]
) -> None:
    """
    A timer does not wait until everything that expires at that time has ended.
    """
    supervisor = await start_supervisor(max_sessions=None)
    timed = await supervisor.open("timed")
    for number in range(4000):
        (await supervisor.open(str(number), idle_timeout=10)).callback(work)
    rang: list[tuple[float, int]] = []
    timed.call_later(10.1, lambda: rang.append((clock.now, len(supervisor))))
    await clock.advance(11)
    assert len(supervisor) == 1
    ((when, left),) = rang
    assert 10.1 <= when < 10.1 * 257 / 256 + 0.005
    assert left > 1


async def test_due_together_leave_turns(
    supervisor: Supervisor, clock: VirtualClock, work: Callable[[], None]
) -> None:
    """
    Of many alarms that are due at once, the work is cut by time, and others run between.
    """
    session = await supervisor.open("a")
    for _ in range(400):
        session.call_later(1, work)
    await clock.advance(0.99)
    turns: list[float] = []
    while session._steps:
        turns.append(clock.now)
        await asyncio.sleep(0 if len(session._steps) < 400 else 0.001)
    assert len(turns) > 20
    assert max(after - before for before, after in pairwise(turns)) < 0.002


async def test_set_and_cleared_between_two_slices(
    supervisor: Supervisor, clock: VirtualClock, work: Callable[[], None], log: list[str]
) -> None:
    """
    Between two slices of what is due, an alarm may still be cleared, and another be set.
    """
    session = await supervisor.open("a")
    middle = asyncio.Event()
    for number in range(20):
        session.call_later(1, work)
        if number == 10:
            session.call_later(1, middle.set)
    last = session.call_later(1, log.append, "never")
    await middle.wait()
    assert 1 < len(session._steps or ()) < 10
    assert last.cancel()
    session.call_later(0, log.append, "rang")
    await clock.advance(0.02)
    assert log == ["rang"]
    assert len(supervisor._bells.queue) == 0
    supervisor._check()
