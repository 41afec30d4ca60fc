"""
Observers: who is told of each event at once, what the events tell, and what an observer may do.
"""

from __future__ import annotations

import asyncio
import gc
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

import pytest

from sessionstate import (
    CleanUpFailed,
    CleanUpStep,
    CloseReason,
    SessionClosing,
    SessionEnded,
    SessionEvent,
    SessionMap,
    SessionOpened,
    SessionState,
    Supervisor,
)
from sessionstate.testing import VirtualClock
from tests.bodies import noted

if TYPE_CHECKING:
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time

adopting = SessionMap[int]("adopting", adopt=True)


class Notes(list[SessionEvent]):
    """
    What an observer was told.
    """

    def only(self, kind: type[SessionEvent]) -> list[Any]:
        """
        Return the events of one kind.
        """
        return [event for event in self if type(event) is kind]


def nothing() -> None:
    """
    Do nothing, as a callback.
    """


class TestTold:
    async def test_whole_life(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        An observer is told of everything in the order in which it happens, at once.
        """
        notes = Notes()
        supervisor.observe(notes.append)
        error = ValueError("no")

        def fail() -> None:
            raise error

        s = await supervisor.open("a")
        assert notes == [SessionOpened("a", 1, 0)]
        s.callback(fail)
        await clock.advance(10)
        with pytest.raises(ExceptionGroup):
            await s.aclose()
        where = f"callback {fail.__qualname__}"
        assert notes[1:] == [
            SessionClosing("a", 1, 10, CloseReason.COMPLETED),
            CleanUpStep("a", 1, 10, where, 0, error),
            CleanUpFailed("a", 1, 10, where, error),
            SessionEnded("a", 1, 10, CloseReason.COMPLETED, 10, 1),
        ]

    async def test_streams_are_not_told_of_steps(self, supervisor: Supervisor) -> None:
        """
        The same events go to a stream, but for the steps of a clean-up.
        """
        notes, stream = Notes(), supervisor.events()
        supervisor.observe(notes.append)
        async with supervisor.session("a") as s:
            s.callback(nothing)
        await stream.aclose()
        assert [event async for event in stream] == [
            event for event in notes if not isinstance(event, CleanUpStep)
        ]
        assert len(notes.only(CleanUpStep)) == 1

    async def test_in_the_opener_s_context(self, supervisor: Supervisor) -> None:
        """
        The context variables of who opens a session are there when the observer is told of it.
        """
        request = ContextVar[str]("request", default="none")
        seen: list[str] = []
        supervisor.observe(lambda event: seen.append(request.get()))
        request.set("r1")
        await supervisor.open("a")
        assert seen == ["r1"]

    async def test_several(self, supervisor: Supervisor) -> None:
        """
        One who comes in the middle of an event is told from the next one on.
        """
        first, second = Notes(), Notes()

        def both(event: SessionEvent) -> None:
            first.append(event)
            if len(first) == 1:
                supervisor.observe(second.append)

        supervisor.observe(both)
        await supervisor.open("a")
        await supervisor.close("a")
        assert second == first[1:]

    async def test_looks_at_the_session_that_opens(self, supervisor: Supervisor) -> None:
        """
        While an observer is told of an opening, the session may be looked at: it has no limit yet.
        """
        seen: list[object] = []

        def look(event: SessionEvent) -> None:
            if isinstance(event, SessionOpened):
                s = supervisor[event.id]
                seen.append((s.state, s.deadline, event.id in supervisor.dump()))

        supervisor.observe(look)
        await supervisor.open("a")
        async with supervisor.session("b"):
            supervisor._check()
        assert seen == [(SessionState.IDLE, None, True)] * 2

    async def test_refused(self, supervisor: Supervisor) -> None:
        """
        An observer is a function.
        """
        with pytest.raises(TypeError, match="an observer must be a function of an event, not 5"):
            supervisor.observe(cast("Any", 5))
        assert not supervisor._observers.active


class TestFields:
    async def test_opening_waits_for_room(self, start_supervisor: StartSupervisor) -> None:
        """
        `SessionOpened.took` is what the opening waited for room.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="wait")
        notes = Notes()
        supervisor.observe(notes.append)
        await supervisor.open("a")
        opening = asyncio.create_task(supervisor.open("b"))
        await asyncio.sleep(3)
        await supervisor.close("a")
        await opening
        assert [(event.id, event.took) for event in notes.only(SessionOpened)] == [
            ("a", 0),
            ("b", 3),
        ]

    async def test_opening_waits_for_the_last_life(
        self, supervisor: Supervisor, log: list[str]
    ) -> None:
        """
        `SessionOpened.took` is what the opening waited for the end of the id's last life.
        """
        notes = Notes()
        supervisor.observe(notes.append)
        s = await supervisor.open("a")
        s.push_async_callback(noted, log, "slow", 2)
        s.close_soon()
        async with supervisor.session("a"):
            assert [event.took for event in notes.only(SessionOpened)] == [0, 2]
        assert [event.took for event in notes.only(SessionEnded)] == [2, 0]

    async def test_adopting_write(self, supervisor: Supervisor) -> None:
        """
        A write that opens a session did not wait for it.
        """
        notes = Notes()
        supervisor.observe(notes.append)
        adopting["a"] = 1
        assert [event.took for event in notes.only(SessionOpened)] == [0]

    async def test_late(self, start_supervisor: StartSupervisor) -> None:
        """
        `SessionClosing.late` is what had passed since the deadline; None if that was to come.
        """
        supervisor = await start_supervisor(idle_timeout=10)
        notes = Notes()
        supervisor.observe(notes.append)
        await supervisor.open("soon")
        await supervisor.close("soon")
        await supervisor.open("never", idle_timeout=None)
        await supervisor.close("never")
        await supervisor.open("idle")
        await asyncio.sleep(11)
        await supervisor.open("forgotten")
        supervisor._expiry.stop()
        await asyncio.sleep(15)
        await supervisor.close("forgotten")
        soon, never, idle, forgotten = [event.late for event in notes.only(SessionClosing)]
        assert soon is never is None
        assert 0 <= idle <= 10 / 256 + 0.005
        assert forgotten == 5

    async def test_times_do_not_make_events_differ(self) -> None:
        """
        What an event tells of its duration does not count when two are compared.
        """
        reason = CloseReason.IDLE
        assert SessionOpened("a", 1, 2, took=3) == SessionOpened("a", 1, 2)
        assert SessionClosing("a", 1, 2, reason, late=3) == SessionClosing("a", 1, 2, reason)
        assert SessionEnded("a", 1, 2, reason, 1, 0, 9) == SessionEnded("a", 1, 2, reason, 1, 0)
        assert SessionEnded("a", 1, 2, reason, 1, 0) != SessionEnded("a", 1, 2, reason, 1, 1)


class TestGone:
    async def test_cancel(self, supervisor: Supervisor) -> None:
        """
        A cancelled observation tells nothing any more; only the first cancelling did that.
        """
        notes, others = Notes(), Notes()
        observation = supervisor.observe(notes.append)
        other = supervisor.observe(others.append)
        assert observation.cancel()
        assert not observation.cancel()
        assert supervisor._observers.active
        await supervisor.open("a")
        assert (notes, len(others)) == ([], 1)
        assert other.cancel()
        assert not supervisor._observers.active

    async def test_once_for_each_call(self, supervisor: Supervisor) -> None:
        """
        A function that observes twice is told twice, until each of its handles is cancelled.
        """
        notes = Notes()
        handles = [supervisor.observe(notes.append) for _ in range(2)]
        await supervisor.open("a")
        assert len(notes) == 2
        handles[0].cancel()
        await supervisor.open("b")
        assert len(notes) == 3

    async def test_with_the_supervisor(self) -> None:
        """
        The end of the supervisor is the end of every observation, after the last event.
        """
        notes = Notes()
        async with Supervisor(default=False) as supervisor:
            observation = supervisor.observe(notes.append)
            await supervisor.open("a")
        assert isinstance(notes[-1], SessionEnded)
        assert not observation.cancel()

    async def test_streams(self, supervisor: Supervisor) -> None:
        """
        Sessions pay for events no more once the last stream is closed or dropped.
        """
        gc.disable()
        try:
            dropped, closed = supervisor.events(), supervisor.events()
            assert supervisor._observers.active
            del dropped
            assert supervisor._observers.active
            await closed.aclose()
            assert not supervisor._observers.active
        finally:
            gc.enable()

    async def test_hooks_stay(self, supervisor: Supervisor) -> None:
        """
        A hook is for ever: who leaves it behind does not make it deaf.
        """
        seen: list[object] = []
        supervisor.on_close(lambda s, reason: seen.append(s.id))
        assert supervisor.observe(seen.append).cancel()
        assert supervisor._observers.active
        async with supervisor.session("a"):
            pass
        assert seen == ["a"]

    async def test_a_clean_up_in_the_middle(
        self, supervisor: Supervisor, log: list[str], clock: VirtualClock
    ) -> None:
        """
        Who cancels while a step runs is not told of its end, nor of the session's.
        """
        notes = Notes()
        observation = supervisor.observe(notes.append)
        s = await supervisor.open("a")
        s.push_async_callback(noted, log, "slow", 2)
        s.close_soon()
        await clock.advance(1)
        observation.cancel()
        await s.wait_closed()
        assert [type(event) for event in notes] == [SessionOpened, SessionClosing]
