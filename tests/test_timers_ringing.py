"""
What timers do when they ring, and what becomes of their errors.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest

from sessionstate import CloseReason, Session, SessionClosed, Supervisor, current_session
from sessionstate.testing import VirtualClock
from tests.bodies import LONG, fail, sweep

if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.virtual_time

request: ContextVar[str] = ContextVar("request")


class TestFailing:
    async def test_error(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A timer that raises ends its session as `resource_failed`, as an owned task does.
        """
        with pytest.raises(SessionClosed) as caught:
            async with supervisor.session("a") as session:
                session.call_later(1, fail)
                await asyncio.sleep(LONG)
        assert caught.value.reason is CloseReason.RESOURCE_FAILED
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert supervisor.statistics().expiry_errors == 0

    async def test_error_of_an_async_one(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        So does an async one that raises later.
        """

        async def work() -> None:
            await asyncio.sleep(1)
            fail()

        session = await supervisor.open("a")
        session.call_later(1, work)
        await clock.advance(3)
        assert session.close_reason is CloseReason.RESOURCE_FAILED

    async def test_cancelled_error(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        So does one that raises CancelledError, though nobody cancelled anything.
        """
        loop = asyncio.get_running_loop()
        cancelled = loop.create_future()
        cancelled.cancel()
        session = await supervisor.open("a")
        async with supervisor.attach("a", stall_timeout=LONG):
            session.call_later(1, cancelled.result)
            with pytest.raises(asyncio.CancelledError):
                await asyncio.sleep(LONG)
            error = session.exception
        assert isinstance(error, RuntimeError)
        assert isinstance(error.__cause__, asyncio.CancelledError)
        assert supervisor.statistics().restarts == 0

    async def test_others_ring(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A timer that raises keeps no other from ringing.
        """
        for id in "abc":
            session = await supervisor.open(id)
            call: Callable[..., object] = fail if id == "b" else log.append
            session.call_later(1, call, *([] if id == "b" else [id]))
        await clock.advance(2)
        assert (log, list(supervisor)) == (["a", "c"], ["a", "c"])

    def test_fatal(self) -> None:
        """
        A KeyboardInterrupt ends the session and goes through the loop; the supervisor survives it.
        """
        loop = VirtualClock().new_event_loop()
        log: list[str] = []

        def interrupt() -> None:
            raise KeyboardInterrupt

        async def begin() -> tuple[Supervisor, Session]:
            supervisor = await Supervisor(default=False).__aenter__()
            session = await supervisor.open("a")
            session.call_later(1, interrupt)
            (await supervisor.open("b")).call_later(1, log.append, "b")
            return supervisor, session

        supervisor, session = loop.run_until_complete(begin())
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(asyncio.sleep(LONG))
        assert session.close_reason is CloseReason.RESOURCE_FAILED
        loop.run_until_complete(asyncio.sleep(3))
        assert log == ["b"]
        loop.run_until_complete(supervisor.__aexit__(None, None, None))
        loop.close()

    async def test_survives_a_sweep(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A sweep that cancels every task there is loses no timer.
        """
        session = await supervisor.open("a")
        session.call_later(1, log.append, "x")
        await asyncio.sleep(0)
        assert sweep("expiry") >= 1
        await clock.advance(3)
        assert log == ["x"]


class TestContext:
    @pytest.mark.parametrize("kind", ["plain", "async"])
    async def test_is_that_of_the_caller(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str], kind: str
    ) -> None:
        """
        A timer sees its caller's context variables and its own session, be it async or not.
        """

        def plain() -> None:
            log.append(f"{request.get()} {current_session().id}")

        async def work() -> None:
            plain()

        session = await supervisor.open("a")
        token = request.set("first")
        session.call_later(1, plain if kind == "plain" else work)
        request.reset(token)
        await clock.advance(2)
        assert log == ["first a"]


class TestFromATimer:
    async def test_closes_its_session(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A timer may end its own session, and other timers of it are gone.
        """
        session = await supervisor.open("a")
        session.call_later(1, session.close_soon)
        session.call_later(1, log.append, "never")
        session.callback(log.append, "clean")
        await clock.advance(5)
        assert (log, session.close_reason) == (["clean"], CloseReason.COMPLETED)
        session = await supervisor.open("a")
        session.call_later(1, session.aclose)  # async: it does not wait for itself
        await clock.advance(5)
        assert (session.state, supervisor.statistics().clean_up_errors) == ("closed", 0)

    async def test_ended_by_an_async_function_before_it_begins(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A function that ends the session and returns a coroutine leaves none unawaited.
        """
        session = await supervisor.open("a")

        async def work() -> None: ...

        def end() -> object:
            session.close_soon()
            return work()

        session.call_later(1, end)
        await clock.advance(2)
        assert session.close_reason is CloseReason.COMPLETED

    async def test_sets_another(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A timer may set another, also for this very moment, and others get their turn meanwhile.
        """
        session = await supervisor.open("a")
        rang: list[float] = []
        went: list[int] = []

        def again() -> None:
            rang.append(clock.now)
            if len(rang) < 100:
                session.call_later(0 if len(rang) % 2 else 1, again)

        async def go() -> None:
            for _ in range(100):
                await asyncio.sleep(0)
                went.append(len(rang))

        session.call_later(0, again)
        await go()
        assert went[0] <= 2
        await clock.advance(60)
        assert len(rang) == 100
        assert rang == sorted(rang)
        assert len(supervisor._bells.queue) == 0

    async def test_cancels_another(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A timer may cancel one that is due at the same moment.
        """
        session = await supervisor.open("a")
        timers = []
        session.call_later(1, lambda: log.append(str(timers[0].cancel())))
        timers.append(session.call_later(1, log.append, "never"))
        await clock.advance(2)
        assert log == ["True"]
        supervisor._check()
