"""
What happened to a session since somebody looked at it, and for how long anybody is told.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import suppress
from time import time
from typing import TYPE_CHECKING

import pytest

from sessionstate import CloseReason, Supervisor
from sessionstate.dashboard._detail import EVENTS, PATIENCE, WATCHED
from sessionstate.dashboard._probe import Probe
from tests.bodies import LONG, deaf, fail
from tests.dashboard.shapes import shown
from tests.traces import nothing, open_here

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sessionstate import Session
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time


@pytest.fixture
async def probe(supervisor: Supervisor) -> AsyncIterator[Probe]:
    """
    Give a probe that makes its updates.
    """
    probe = Probe(supervisor)
    probe.start()
    yield probe
    probe.stop()


async def happened(probe: Probe, session: Session) -> list[str]:
    """
    Return what happened to *session*, but for its opening.
    """
    first, *others = [each["what"] for each in (await shown(probe, session))["events"]]
    assert first == f"opened at {session.opened_where}"
    return others


class TestEvents:
    async def test_clean_up(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        The end is told step by step, in order, and each failure once, without what it said.
        """
        session = await open_here(supervisor, "a")
        supervisor.on_error(lambda session, error, where: None)
        session.callback(fail)
        session.push_async_callback(asyncio.sleep, 1)
        session.callback(nothing)
        session.start_soon(asyncio.sleep, LONG)
        await asyncio.sleep(0)
        assert await happened(probe, session) == []
        with suppress(ExceptionGroup):
            await session.aclose(CloseReason.DELETED)
        assert await happened(probe, session) == [
            "its end was decided: deleted",
            "owned tasks: over after 0 s",
            "callback nothing: over after 0 s",
            "async callback sleep: over after 1 s",
            "callback fail failed with ZeroDivisionError",
            "closed, 1 s after that was decided",
        ]

    async def test_late(self, start_supervisor: StartSupervisor) -> None:
        """
        An end that came after the deadline says by how much.
        """
        supervisor = await start_supervisor()
        probe = Probe(supervisor)
        session = await supervisor.open("a", idle_timeout=8)
        await shown(probe, session)
        await asyncio.sleep(10)
        decided, closed = await happened(probe, session)
        assert decided.startswith("its end was decided: idle, ")
        assert decided.endswith(" s after its deadline")
        assert closed == "closed, 0 s after that was decided"
        probe.stop()

    async def test_stuck(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Who did not leave is told by its place, not by the name of its task.
        """

        async def body() -> None:
            async with supervisor.attach("a"):
                await deaf(4)

        task = asyncio.create_task(body(), name="a person's name")
        await asyncio.sleep(0)
        session = supervisor["a"]
        await shown(probe, session)
        session.close_soon()
        with suppress(Exception):
            await task
        told = await happened(probe, session)
        (stuck,) = (each for each in told if each.startswith("stuck"))
        assert stuck.startswith("stuck visitor at ")
        assert stuck.endswith(" failed with TimeoutError")

    async def test_times(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Times are those of the calendar.
        """
        begun = time()
        session = await supervisor.open("a")
        detail = await shown(probe, session)
        (opened,) = detail["events"]
        for at in (opened["at"], detail["opened_at"]):
            assert begun - 1 <= at <= time() + 1

    async def test_at_most(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Of many, the last are told.
        """
        session = await supervisor.open("a")
        for _ in range(2 * EVENTS):
            session.callback(nothing)
        await shown(probe, session)
        session.close_soon()
        events = (await shown(probe, session))["events"]
        assert len(events) == EVENTS
        assert events[-1]["what"] == "closed, 0 s after that was decided"
        assert {each["what"] for each in events[:-1]} == {"callback nothing: over after 0 s"}

    async def test_of_others(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        What happens to a session that nobody looks at is not told.
        """
        session = await supervisor.open("a")
        await shown(probe, session)
        await supervisor.open("b")
        await supervisor.close("b")
        assert await happened(probe, session) == []
        assert list(probe._details._watched) == [session.incarnation]


class TestWatched:
    async def test_nobody_looks(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        A minute after the last question nobody is told any more, and sessions pay nothing for it.
        """
        assert not supervisor._observers.active
        session = await supervisor.open("a", idle_timeout=None)
        await shown(probe, session)
        assert supervisor._observers.active
        await asyncio.sleep(PATIENCE - 2)
        await shown(probe, session)
        await asyncio.sleep(PATIENCE - 2)
        assert supervisor._observers.active
        await asyncio.sleep(4)
        assert not supervisor._observers.active
        assert probe._details._watched == {}
        assert await happened(probe, session) == []
        assert supervisor._observers.active

    async def test_one_of_two(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        The observer stays as long as somebody looks at any session.
        """
        first, second = await supervisor.open("a"), await supervisor.open("b")
        await shown(probe, first)
        await asyncio.sleep(PATIENCE / 2)
        await shown(probe, second)
        await asyncio.sleep(PATIENCE / 2 + 2)
        assert list(probe._details._watched) == [second.incarnation]
        assert supervisor._observers.active

    async def test_let_go(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        A closed session that was looked at is gone when nobody looks any more.
        """
        gone = weakref.ref(await supervisor.open("a"))
        assert await probe.session(1) is not None
        supervisor.close_soon("a")
        gc.collect()
        assert gone() is not None
        await asyncio.sleep(PATIENCE + 2)
        gc.collect()
        assert gone() is None
        assert await probe.session(1) is None

    async def test_at_most(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Of many that are looked at, the one that was asked for longest ago is let go of.
        """
        sessions = [await supervisor.open(f"{number}") for number in range(WATCHED + 1)]
        for session in sessions[:WATCHED]:
            await shown(probe, session)
        await shown(probe, sessions[0])
        await shown(probe, sessions[WATCHED])
        wanted = [*sessions[2:WATCHED], sessions[0], sessions[WATCHED]]
        assert list(probe._details._watched) == [each.incarnation for each in wanted]
        for session in sessions:
            session.close_soon()
        assert await probe.session(sessions[1].incarnation) is None
        assert len(await happened(probe, sessions[0])) == 2

    async def test_stop(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        To stop lets go of all, and so does the supervisor's end.
        """
        await shown(probe, await supervisor.open("a"))
        probe.stop()
        assert not supervisor._observers.active

    async def test_left(self) -> None:
        """
        When the supervisor is left, no session is looked at any more.
        """
        async with Supervisor() as supervisor:
            probe = Probe(supervisor)
            probe.start()
            await shown(probe, await supervisor.open("a"))
        await asyncio.sleep(0.25)
        assert probe._details._watched == {}
        assert not supervisor._observers.active


class TestClose:
    async def test_decided(
        self, probe: Probe, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        An end is decided once, as `deleted`, and the log says by whom, of a shortened id.
        """
        session = await supervisor.open("a-very-long-id")
        session.push_async_callback(asyncio.sleep, 1)
        assert await probe.close(1, "me")
        assert session.close_reason is CloseReason.DELETED
        assert not await probe.close(1, "you")
        assert await probe.session(1) is not None
        await session.wait_closed()
        assert not await probe.close(1, "him")
        assert not await probe.close(7, "them")
        told = [each.getMessage() for each in caplog.records if each.name.endswith("dashboard")]
        assert told == [
            "session 'a-very-l…' (life 1) was closed by me",
            "session 'a-very-l…' (life 1) was asked to close, and was not live, by you",
            "session 'a-very-l…' (life 1) was asked to close, and was not live, by him",
            "session 'unknown' (life 7) was asked to close, and was not live, by them",
        ]
        assert {each.levelname for each in caplog.records} == {"WARNING"}

    async def test_held(self, probe: Probe, supervisor: Supervisor) -> None:
        """
        Who is inside is interrupted, as by everybody else who ends a session.
        """

        async def body() -> None:
            async with supervisor.session("a"):
                await asyncio.sleep(LONG)

        task = asyncio.create_task(body())
        await asyncio.sleep(0)
        assert await probe.close(1, "me")
        with pytest.raises(Exception, match="deleted"):
            await task
