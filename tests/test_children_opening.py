"""
What the opening of a child does to its parent, and finds there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessionstate import CloseReason, SessionClosed

if TYPE_CHECKING:
    from sessionstate import Supervisor
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time


async def test_parent_that_is_overdue(supervisor: Supervisor, clock: VirtualClock) -> None:
    """
    A parent past its deadline is ended by the opening of a child, though expiry did not come yet.
    """
    parent = await supervisor.open("parent", idle_timeout=10)
    clock.jump(10.01)  # before anybody is told
    with pytest.raises(SessionClosed, match="'parent'"):
        async with parent.child("child"):
            raise AssertionError
    assert parent.close_reason is CloseReason.IDLE
    assert len(supervisor) == 0


async def test_parent_that_is_held(supervisor: Supervisor, clock: VirtualClock) -> None:
    """
    One that is held, or not due, is there for its child.
    """
    async with supervisor.session("parent") as parent:
        await clock.advance(5000)
        async with parent.child("child") as child:
            assert child.parent is parent


async def test_is_a_use(start_supervisor: StartSupervisor, clock: VirtualClock) -> None:
    """
    A parent whose child was entered is not unused: from then on its idle_timeout counts.
    """
    supervisor = await start_supervisor(unused_timeout=5)
    parent = await supervisor.open("parent", idle_timeout=100)
    async with parent.child("child"):
        await clock.advance(20)
    await clock.advance(50)
    assert parent.state == "idle"
