"""
Observers that fail, interrupt, or end the very session that they are told of.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import (
    CleanUpStep,
    CloseReason,
    Session,
    SessionClosed,
    SessionClosing,
    SessionEnded,
    SessionEvent,
    SessionOpened,
    SessionState,
    Supervisor,
)
from sessionstate._events import raise_later
from sessionstate.testing import VirtualClock
from tests.bodies import noted
from tests.test_observers import Notes, adopting

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.virtual_time


class TestFailing:
    async def test_error(self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture) -> None:
        """
        What an observer raises is logged, whatever it is; others are told, and the session lives.
        """
        errors = iter([ValueError("one"), asyncio.CancelledError("two"), GeneratorExit("three")])

        def fail(event: SessionEvent) -> None:
            raise next(errors)

        notes = Notes()
        supervisor.observe(fail)
        supervisor.observe(notes.append)
        async with supervisor.session("a"):
            pass
        assert [type(event) for event in notes] == [SessionOpened, SessionClosing, SessionEnded]
        assert [record.message.partition(" of ")[0] for record in caplog.records] == [
            "an observer failed while it was told"
        ] * 3
        assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
            "one",
            "two",
            "three",
        ]
        assert supervisor.statistics().clean_up_errors == 0

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    @pytest.mark.parametrize("kind", [SessionOpened, SessionClosing, CleanUpStep, SessionEnded])
    def test_interrupt(
        self, kind: type[SessionEvent], error: type[BaseException], log: list[str]
    ) -> None:
        """
        An interrupt goes out of the loop, not through the session: that is opened and ended whole.
        """
        kept: list[Session] = []
        ended: list[object] = []

        def fail(event: SessionEvent) -> None:
            if type(event) is kind:
                raise error

        async def main() -> None:
            async with Supervisor() as supervisor:
                observation = supervisor.observe(fail)
                s = await supervisor.open("a")
                kept.append(s)
                s.callback(log.append, "callback")
                s.close_soon()
                ended.append((s.state, len(supervisor._closing)))
                observation.cancel()
                supervisor._check()
                await asyncio.sleep(1)
                log.append("never reached")

        with pytest.raises(error):
            VirtualClock().run(main())
        assert kept[0].state is SessionState.CLOSED
        assert log == ["callback"]
        assert ended == [(SessionState.CLOSED, 0)]


class TestEndsTheSession:
    @pytest.mark.parametrize("how", ["session", "attach", "open", "adopt", "in a queue"])
    async def test_as_it_opens(
        self, supervisor: Supervisor, how: str, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A session that an observer ends as it opens is ended whole, and its opener hears of that.
        """

        def end(event: SessionEvent) -> None:
            if isinstance(event, SessionOpened):
                s = supervisor[event.id]
                s.callback(log.append, "callback")
                s.push_async_callback(noted, log, "async", 1)
                assert s.close_soon(CloseReason.DELETED)

        async def enter(block: Any) -> None:
            async with block:
                log.append("never reached")

        ways: dict[str, Callable[[], Any]] = {
            "session": lambda: enter(supervisor.session("a", stall_timeout=5)),
            "attach": lambda: enter(supervisor.attach("a")),
            "open": lambda: supervisor.open("a"),
            "in a queue": lambda: enter(supervisor.session("a", max_age=5)),
        }
        if how == "in a queue":
            supervisor.on_open(lambda s: log.append("no hook is called"))
        observation = supervisor.observe(end)
        with pytest.raises(SessionClosed, match="deleted"):
            if how == "adopt":
                adopting["a"] = 1
            else:
                await ways[how]()
        observation.cancel()
        await clock.advance(1)
        assert log == ["async begins", "async", "callback"]
        assert (len(supervisor), len(supervisor._closing)) == (0, 0)
        supervisor._check()
        log.clear()
        async with supervisor.session("a") as s:
            assert s.incarnation == 2

    async def test_one_cancels_another(self, supervisor: Supervisor) -> None:
        """
        An observer that another one cancels is not told of the event that this happens at.
        """
        notes = Notes()
        supervisor.observe(lambda event: second.cancel())
        second = supervisor.observe(notes.append)
        async with supervisor.session("a"):
            pass
        assert notes == []


class TestWithoutLoop:
    def test_interrupted(self, caplog: pytest.LogCaptureFixture) -> None:
        """
        Where no loop runs any more, an interruption of an observer is told, and nothing is left.
        """
        raise_later(KeyboardInterrupt("now"))
        assert caplog.messages == ["an observer was interrupted"]
