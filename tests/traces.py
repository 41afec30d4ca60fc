"""
What the tests of sampled sessions have in common: who samples all, and what to sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessionstate import LeakDetection, Session, SessionMap, Supervisor

if TYPE_CHECKING:
    from tests.conftest import StartSupervisor

PARANOID = LeakDetection.PARANOID

agents = SessionMap[str]("agents")


def nothing() -> None:
    """
    Do nothing, as a callback.
    """


def sampled(supervisor: Supervisor) -> int:
    """
    Count the sessions that a record is taken for.
    """
    return len(supervisor._tracer._taken)


@pytest.fixture
async def traced(start_supervisor: StartSupervisor) -> Supervisor:
    """
    Give a supervisor that samples every session, whose sessions end 10 s after their last use.
    """
    return await start_supervisor(leak_detection=PARANOID, idle_timeout=10, close_timeout=None)


def stop_expiry(supervisor: Supervisor) -> None:
    """
    Let no session expire any more: what a leak detector is there to find.
    """
    supervisor._expiry.stop()


async def open_here(supervisor: Supervisor, id: str) -> Session:
    """
    Open a session at a place of its own.
    """
    return await supervisor.open(id)
