"""
A container's loads do not outlive its owner.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import ExpiringMap, SessionClosed, Supervisor, SupervisorClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sessionstate.testing import VirtualClock


def slow_to_end(log: list[str]) -> Callable[[], Coroutine[Any, Any, Any]]:
    """
    Give a factory that needs a second to let go of what it holds.
    """

    async def load() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            log.append("load")

    return load


class TestLoads:
    async def test_end_before_their_session_is_closed(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        What was added before the container is cleaned up when its loads have ended.
        """
        session = await supervisor.open("a")
        session.callback(log.append, "before")
        entries = ExpiringMap[str, Any](session=session)
        asking = asyncio.create_task(entries.get_or_create("key", slow_to_end(log)))
        await clock.settle()
        await session.aclose()
        assert (log, clock.now) == (["load", "before"], 1)
        with pytest.raises(SessionClosed):
            await asking

    async def test_end_before_their_supervisor_is_left(
        self, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        Leaving a supervisor waits for the loads of its containers.
        """
        async with Supervisor() as supervisor:
            entries = ExpiringMap[str, Any](supervisor=supervisor)
            asking = asyncio.create_task(entries.get_or_create("key", slow_to_end(log)))
            await clock.settle()
        assert (log, clock.now) == (["load"], 1)
        with pytest.raises(SupervisorClosed):
            await asking

    @pytest.mark.parametrize("limit", [0.5, None])
    async def test_are_waited_for_a_bounded_time(
        self, clock: VirtualClock, log: list[str], limit: float | None
    ) -> None:
        """
        A load that does not end is left behind after the time for a clean-up, if there is one.
        """
        async with Supervisor(close_timeout=limit, shutdown_timeout=None) as supervisor:
            entries = ExpiringMap[str, Any](supervisor=supervisor)
            asking = asyncio.create_task(entries.get_or_create("key", slow_to_end(log)))
            await clock.settle()
        assert clock.now == (limit or 1)
        with pytest.raises(SupervisorClosed):
            await asking
        await asyncio.sleep(1)
