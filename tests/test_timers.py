"""
Timers that a session owns.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import suppress
from datetime import timedelta
from math import inf, nan
from typing import TYPE_CHECKING

import pytest

from sessionstate import CloseReason, Session, SessionClosed, Supervisor, current_session
from sessionstate.testing import VirtualClock, VirtualLoop
from tests.bodies import LONG, fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate.testing import VirtualClock

pytestmark = pytest.mark.virtual_time


class Thing:
    """
    Something that can be seen to be gone.
    """

    def use(self) -> None:
        """
        Be what a timer calls.
        """


class TestCallLater:
    @pytest.mark.parametrize("delay", [0, 0.001, 0.3, 1, 2.5, 100, 86_400, timedelta(minutes=5)])
    async def test_never_early(
        self, supervisor: Supervisor, clock: VirtualClock, delay: float | timedelta
    ) -> None:
        """
        A timer fires never early, and late by at most a 256th of its delay or 5 ms.
        """
        session = await supervisor.open("a", idle_timeout=None)
        rang: list[float] = []
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
        for offset in (0, 0.0011, 3.3):
            await clock.advance(offset)
            began = clock.now
            session.call_later(delay, lambda: rang.append(clock.now))
            await clock.advance(seconds * 1.1 + 1)
            late = rang.pop() - began - seconds
            assert 0 <= late <= max(0.005, seconds / 256)
        assert rang == []

    async def test_arguments(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        The function is called with its arguments, once; the handle tells that it was.
        """
        session = await supervisor.open("a")
        timer = session.call_later(1, log.append, "x")
        assert repr(timer) == "<Timer timer list.append>"
        assert "owns timer list.append" in supervisor.dump()
        await clock.advance(10)
        assert (log, timer.cancel()) == (["x"], False)
        assert repr(timer) == "<Timer timer list.append, done>"

    async def test_in_order(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        Timers of equal delays ring in the order of their times, of equal times in that of calls.
        """
        sessions = [await supervisor.open(id) for id in "abc"]
        rang: list[int] = []
        for number in (5, 1, 4, 0, 3, 2):
            sessions[number % 3].call_later(1 + number / 10_000, rang.append, number)
        for number in (7, 8, 9):
            sessions[number % 3].call_later(1.1, rang.append, number)
        await clock.advance(2)
        assert rang == [0, 1, 2, 3, 4, 5, 7, 8, 9]

    async def test_async(self, supervisor: Supervisor, clock: VirtualClock, log: list[str]) -> None:
        """
        An async function runs as a task of the session, which ends it.
        """
        session = await supervisor.open("a")

        async def work(name: str) -> None:
            assert current_session() is session
            log.append(f"{name} begins")
            try:
                await asyncio.sleep(5)
                log.append(name)
            finally:
                log.append(f"{name} over")

        session.call_later(1, work, "one")
        session.call_later(4, work, "two")
        await clock.advance(7)
        assert "owns task" in supervisor.dump()
        await session.aclose()
        assert log == ["one begins", "two begins", "one", "one over", "two over"]

    async def test_current_session(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        The session is the current one of what it calls, whoever set the timer.
        """
        found: list[Session] = []
        async with supervisor.session("a") as a, supervisor.session("b"):
            a.call_later(1, lambda: found.append(current_session()))
            await clock.advance(2)
            assert found == [a]

    async def test_does_not_touch(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A timer is no activity: the session expires as if there were none.
        """
        session = await supervisor.open("a", idle_timeout=10)
        session.call_later(9, list)
        session.call_later(11, fail)
        await clock.advance(10.1)
        assert (session.close_reason, session.last_used) == (CloseReason.IDLE, 0)

    @pytest.mark.parametrize(
        ("bad", "error"),
        [
            (-1, ValueError),
            (nan, ValueError),
            (inf, ValueError),
            (None, TypeError),
            ("1", TypeError),
        ],
    )
    async def test_nonsense(
        self, supervisor: Supervisor, bad: float, error: type[Exception]
    ) -> None:
        """
        A delay is a finite number of seconds from 0, and a call can be called.
        """
        session = await supervisor.open("a")
        with pytest.raises(error, match="delay must be"):
            session.call_later(bad, list)
        with pytest.raises(TypeError, match="a function is needed"):
            session.call_later(1, None)  # type: ignore[arg-type]

        async def work() -> None: ...

        with pytest.raises(TypeError, match=r"write f, args instead of f\(args\)"):
            session.call_later(1, work())  # type: ignore[arg-type]
        assert len(supervisor._bells.queue) == len(session._steps or ()) == 0


class TestGone:
    async def test_cancel(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A timer that is cancelled never fires, and leaves nothing in session and queue.
        """
        session = await supervisor.open("a")
        timer = session.call_later(1, log.append, "x")
        assert (timer.cancel(), timer.cancel()) == (True, False)
        assert len(supervisor._bells.queue) == len(session._steps or ()) == 0
        await clock.advance(10)
        assert log == []

    async def test_session_ends_first(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        Once the end is decided no timer fires, though bodies and clean-ups take their time.
        """

        async def hold() -> None:
            with suppress(SessionClosed):
                async with supervisor.attach("a"):
                    try:
                        await asyncio.sleep(LONG)
                    finally:
                        await asyncio.sleep(2)

        session = await supervisor.open("a")
        holder = asyncio.create_task(hold())
        session.call_later(1, log.append, "during")
        timer = session.call_later(50, log.append, "after")
        session.push_async_callback(asyncio.sleep, 1)
        await asyncio.sleep(0)
        session.close_soon()
        await holder
        await session.wait_closed()
        assert len(supervisor._bells.queue) == 0
        await clock.advance(100)
        assert (log, timer.cancel()) == ([], False)
        with pytest.raises(SessionClosed):
            session.call_later(1, list)

    async def test_is_no_async_step(self, supervisor: Supervisor, steps: Callable[[], int]) -> None:
        """
        A session that owns timers and plain callbacks ends without a task and without an await.
        """
        session = await supervisor.open("a")
        session.call_later(1, list)
        session.callback(list)
        before = steps()
        assert await session.aclose()
        assert (steps(), session.state) == (before, "closed")

    @pytest.mark.parametrize("how", ["fires", "cancelled", "ended"])
    async def test_keeps_nothing(
        self, supervisor: Supervisor, clock: VirtualClock, how: str
    ) -> None:
        """
        Neither queue nor supervisor keep a timer that is over, what it calls, or its session.
        """
        thing = Thing()
        session = await supervisor.open("a")
        refs: list[weakref.ref[object]] = [weakref.ref(thing), weakref.ref(session)]
        timer = session.call_later(5, thing.use)
        del thing
        if how == "fires":
            await clock.advance(6)
        elif how == "cancelled":
            timer.cancel()
        if how != "ended":
            session.call_later(1, list).cancel()
            assert session._steps == {}
        await session.aclose()
        gc.disable()
        try:
            del timer, session
            assert [ref() for ref in refs] == [None, None]
        finally:
            gc.enable()
        assert len(supervisor._bells.queue) == 0
        supervisor._check()

    async def test_handle_keeps_no_session(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A handle that outlives its timer keeps neither the session nor its context.
        """
        session = await supervisor.open("a")
        ref = weakref.ref(session)
        timers = [session.call_later(delay, list) for delay in (1, 50)]
        await clock.advance(2)
        await session.aclose()
        gc.disable()
        try:
            del session
            assert ref() is None
        finally:
            gc.enable()
        assert [timer.cancel() for timer in timers] == [False, False]

    async def test_nothing_armed(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        Without a timer nothing is armed in the loop: no session that idles for ever, no wake-up.
        """
        session = await supervisor.open("a", idle_timeout=None)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        session.call_later(5, list)
        assert loop.timers == 1
        await clock.advance(10)
        assert loop.timers == 0
