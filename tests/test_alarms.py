"""
What keeps things for a supervisor or a session: told when something is due, and at the end.
"""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from sessionstate import SessionClosed, Supervisor, SupervisorClosed
from tests.bodies import LONG, fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate import Session
    from sessionstate.testing import VirtualClock

pytestmark = pytest.mark.virtual_time


class Lodger:
    """
    A tenant that notes what it is told.
    """

    def __init__(self, owner: Supervisor | Session, log: list[str]) -> None:
        self.log = log
        self.ended: Callable[[], Exception] | None = None
        self.tenancy = owner._house(self)

    def _overdue(self) -> None:
        self.log.append(f"overdue at {self.tenancy.clock():.1f}")

    def _vacate(self, ended: Callable[[], Exception]) -> None:
        self.ended = ended
        self.log.append("vacate")


class BadLodger(Lodger):
    """
    A tenant that fails at everything.
    """

    def _overdue(self) -> None:
        super()._overdue()
        fail()

    def _vacate(self, ended: Callable[[], Exception]) -> None:
        super()._vacate(ended)
        fail()


class TestTenant:
    async def test_is_told(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A tenant is told when it said that something is due, once, and may change its mind.
        """
        lodger = Lodger(supervisor, log)
        lodger.tenancy.set(5, 5)
        lodger.tenancy.set(2, 2)
        await clock.advance(10)
        assert log == ["overdue at 2.0"]
        lodger.tenancy.set(12, 2)
        lodger.tenancy.clear()
        lodger.tenancy.clear()
        await clock.advance(10)
        assert log == ["overdue at 2.0"]
        assert len(supervisor._bells.queue) == 0

    @pytest.mark.parametrize("due", [False, True])
    async def test_dropped(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str], due: bool
    ) -> None:
        """
        A tenant that is dropped leaves nothing: no entry in the queue, no row in the session.
        """
        session = await supervisor.open("a")
        gc.disable()
        try:
            for owner in supervisor, session:
                lodger = Lodger(owner, log)
                refs = [weakref.ref(lodger), weakref.ref(lodger.tenancy)]
                if due:
                    lodger.tenancy.set(5, 5)
                supervisor._check()
                del lodger
                assert [ref() for ref in refs] == [None, None]
        finally:
            gc.enable()
        assert len(supervisor._bells.queue) == len(session._steps or ()) == 0
        assert len(supervisor._tenancies) == 0
        await clock.advance(10)
        assert log == []

    async def test_collected(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        So does one that was part of a cycle.
        """
        session = await supervisor.open("a")
        for owner in supervisor, session:
            lodger = Lodger(owner, log)
            lodger.cycle = lodger  # type: ignore[attr-defined]
            lodger.tenancy.set(5, 5)
            del lodger
        gc.collect()
        assert len(supervisor._bells.queue) == len(session._steps or ()) == 0
        assert len(supervisor._tenancies) == 0

    async def test_outlived(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        A tenancy that somebody keeps longer than its tenant does nothing.
        """
        lodger = Lodger(supervisor, log)
        tenancy = lodger.tenancy
        del lodger
        tenancy.ring()
        tenancy.vacate(supervisor._left_error)
        assert log == []

    async def test_dropped_as_the_session_ends(
        self, supervisor: Supervisor, log: list[str]
    ) -> None:
        """
        A tenant that its session's clean-up drops before it is told is not told.
        """
        session = await supervisor.open("a")
        lodgers = [Lodger(session, log), Lodger(session, log)]
        session.callback(lodgers.clear)
        await session.aclose()
        assert log == []


class TestVacate:
    async def test_session_ends(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        As its session ends, a tenant lets go in the order of the steps, and is told no more.
        """
        session = await supervisor.open("a")
        session.callback(log.append, "before")
        lodger = Lodger(session, log)
        session.callback(log.append, "after")
        lodger.tenancy.set(5, 5)
        session.push_async_callback(clock.advance, 0.5)
        await session.aclose()
        assert log == ["after", "vacate", "before"]
        assert lodger.ended is not None
        assert isinstance(lodger.ended(), SessionClosed)
        await clock.advance(LONG)
        assert log == ["after", "vacate", "before"]
        assert len(supervisor._bells.queue) == 0

    async def test_supervisor_left(self, clock: VirtualClock, log: list[str]) -> None:
        """
        As its supervisor is left, a tenant lets go once every session is closed.
        """
        async with Supervisor(default=False, name="mine") as supervisor:
            lodger = Lodger(supervisor, log)
            lodger.tenancy.set(50, 50)
            session = await supervisor.open("a")
            session.callback(log.append, "session")
        assert log == ["session", "vacate"]
        assert lodger.ended is not None
        with pytest.raises(SupervisorClosed, match="'mine' was left"):
            raise lodger.ended()
        assert len(supervisor._bells.queue) == 0

    async def test_too_late(self, start_supervisor: Callable[..., object]) -> None:
        """
        An owner that has ended, or was never entered, takes nobody in.
        """
        supervisor = Supervisor(default=False)
        with pytest.raises(SupervisorClosed):
            Lodger(supervisor, [])
        async with supervisor:
            session = await supervisor.open("a")
            await session.aclose()
            with pytest.raises(SessionClosed):
                Lodger(session, [])
        with pytest.raises(SupervisorClosed):
            Lodger(supervisor, [])

    async def test_that_fails(
        self, clock: VirtualClock, log: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        A tenant that fails is logged, and keeps neither expiry nor shutdown from going on.
        """
        async with Supervisor(default=False) as supervisor:
            session = await supervisor.open("a")
            lodgers = [
                kind(owner, log) for owner in (supervisor, session) for kind in (BadLodger, Lodger)
            ]
            for lodger in lodgers:
                lodger.tenancy.set(1, 1)
            await clock.advance(2)
            assert log == ["overdue at 1.0"] * 4
            assert supervisor.statistics().expiry_errors == 2
            with pytest.raises(ExceptionGroup):
                await session.aclose()
        assert log[4:] == ["vacate"] * 4
        assert "failed to end" in caplog.text
