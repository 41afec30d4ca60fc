"""
A session that stays for a while after its last owner left.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from sessionstate import CloseReason, Session, SessionState, Supervisor
from sessionstate.testing import VirtualClock
from tests.test_lifecycle import in_time, inside, until_closed


class TestLinger:
    async def test_keeps_everything_for_who_comes_back(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        An owner who comes back within the linger finds the same session, and starts afresh.
        """
        with suppress(ValueError):
            async with supervisor.session("a", linger=5) as session:
                session.vars["x"] = 1
                raise ValueError
        await clock.advance(4.9)
        async with supervisor.session("a") as again:
            assert again is session
            assert again.vars == {"x": 1}
            assert again.exception is None
            await clock.advance(100)
        assert session.expires_in == 5
        assert await until_closed(session) is CloseReason.COMPLETED

    async def test_is_restarted_by_visitors_and_touches(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        Visits, touches and `open` restart the linger, never the idle timeout; the reason stays.
        """
        with suppress(ValueError):
            async with supervisor.session("a", linger=5) as session:
                raise ValueError
        await clock.advance(4)
        session.touch()
        assert session.expires_in == 5
        await clock.advance(4)
        async with supervisor.attach("a", idle_timeout=1000):
            await clock.advance(50)
        assert session.expires_in == 5
        await clock.advance(4)
        assert await supervisor.open("a") is session
        due = clock.now + 5
        assert await until_closed(session) is CloseReason.FAILED
        assert in_time(clock, due, 5)

    async def test_runs_after_a_visitor_who_left_last(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        Once it has had an owner, a session lingers, even if a visitor left it last.
        """
        leave = asyncio.Event()
        visit = asyncio.create_task(inside(supervisor.attach("a"), leave))
        await clock.settle()
        async with supervisor.session("a", linger=5):
            pass
        await clock.advance(60)
        assert supervisor["a"].state is SessionState.OPEN
        leave.set()
        session = await visit
        assert isinstance(session, Session)
        assert session.expires_in == 5

    async def test_may_be_given_up(self, supervisor: Supervisor) -> None:
        """
        A later owner that names a linger of 0 ends the session at once.
        """
        async with supervisor.session("a", linger=5) as session:
            pass
        async with supervisor.session("a", linger=0):
            pass
        assert session.state is SessionState.CLOSED
