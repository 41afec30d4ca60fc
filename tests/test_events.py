from __future__ import annotations

import asyncio
import gc
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any, cast

import pytest

from sessionstate import (
    CleanUpFailed,
    CloseReason,
    EventStream,
    Session,
    SessionClosed,
    SessionClosing,
    SessionEnded,
    SessionEvent,
    SessionOpened,
    SessionState,
    Supervisor,
    session,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate.testing import VirtualClock


async def drain(stream: EventStream) -> list[SessionEvent]:
    """
    Read what is unread.
    """
    await stream.aclose()
    return [event async for event in stream]


class TestStream:
    async def test_whole_life(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A stream tells of opening, of the decision, of each failed step, and of the end.
        """
        stream = supervisor.events()
        error = ValueError("no")

        async def clean_up() -> None:
            await asyncio.sleep(1)
            raise error

        await clock.advance(1)
        s = await supervisor.open("a")
        s.push_async_callback(clean_up)
        await clock.advance(10)
        with pytest.raises(ExceptionGroup):
            await supervisor.close("a")
        reason = CloseReason.DELETED
        failed = CleanUpFailed("a", 1, 12, f"async callback {clean_up.__qualname__}", error)
        assert await drain(stream) == [
            SessionOpened("a", 1, 1),
            SessionClosing("a", 1, 11, reason),
            failed,
            SessionEnded("a", 1, 12, reason, 10, 1),
        ]
        with pytest.raises(FrozenInstanceError):
            cast("Any", failed).id = "b"

    async def test_reader_waits(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        Each reader has its own stream, waits for events, and ends with the supervisor.
        """

        async def read(stream: EventStream) -> list[str]:
            return [type(event).__name__ async for event in stream]

        async with Supervisor(default=False) as other:
            readers = [asyncio.create_task(read(other.events())) for _ in range(2)]
            await clock.settle()
            await other.open("a")
            await clock.settle()
        expected = ["SessionOpened", "SessionClosing", "SessionEnded"]
        assert await asyncio.gather(*readers) == [expected, expected]

    async def test_of_a_supervisor_that_was_left(self) -> None:
        """
        A stream that begins after the end ends at once.
        """
        async with Supervisor(default=False) as supervisor:
            pass
        assert [event async for event in supervisor.events()] == []

    async def test_slow_reader(self, supervisor: Supervisor) -> None:
        """
        A stream is bounded: the oldest unread events are dropped, and counted.
        """
        stream, fast = supervisor.events(limit=3), supervisor.events()
        for id in "abcde":
            await supervisor.open(id)
        assert (stream.dropped, fast.dropped) == (2, 0)
        assert supervisor.statistics().dropped_events == 2
        assert [event.id for event in await drain(stream)] == ["c", "d", "e"]

    async def test_cancelled_wait_loses_nothing(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        Cancelling the wait for an event loses none, were it just arriving.
        """
        stream = supervisor.events()
        reader = asyncio.create_task(anext(stream))
        await clock.settle()
        await supervisor.open("a")
        reader.cancel()
        await clock.settle()
        assert reader.cancelled()
        assert (await anext(stream)).id == "a"

    async def test_two_readers(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A stream has one reader: the second one is told to get its own.
        """
        stream = supervisor.events()
        reader = asyncio.create_task(anext(stream))
        await clock.settle()
        with pytest.raises(RuntimeError, match="once for each reader"):
            await anext(stream)
        await supervisor.open("a")
        await supervisor.open("b")
        assert [(await reader).id, (await anext(stream)).id] == ["a", "b"]

    async def test_closing_a_stream(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        Closing a stream ends its reader, may be repeated, and keeps what is unread.
        """
        stream, waiting = supervisor.events(), supervisor.events()
        await supervisor.open("a")
        assert (await anext(waiting)).id == "a"
        reader = asyncio.create_task(anext(waiting))
        await clock.settle()
        await waiting.aclose()
        with pytest.raises(StopAsyncIteration):
            await reader
        await stream.aclose()
        await stream.aclose()
        await supervisor.open("b")
        assert [event.id async for event in stream] == ["a"]

    async def test_dropped_stream(self, supervisor: Supervisor) -> None:
        """
        A stream that its reader has dropped fills no more, without a collection.
        """
        gc.disable()
        try:
            stream = supervisor.events(limit=1)
            await supervisor.open("a")
            del stream
            await supervisor.open("b")
            await supervisor.open("c")
            assert supervisor.statistics().dropped_events == 0
        finally:
            gc.enable()

    @pytest.mark.parametrize("limit", [True, 1.5, "5", None])
    async def test_limit_is_no_number(self, supervisor: Supervisor, limit: Any) -> None:
        """
        The limit is a whole number of events.
        """
        with pytest.raises(TypeError, match="whole number of events"):
            supervisor.events(limit)

    async def test_limit_is_too_small(self, supervisor: Supervisor) -> None:
        """
        A stream holds one event at least.
        """
        with pytest.raises(ValueError, match="at least 1 event, not 0"):
            supervisor.events(0)


class TestHooks:
    async def test_registering(self, supervisor: Supervisor) -> None:
        """
        A hook is registered by a call or as a decorator, which gives it back.
        """

        def hook(*args: object) -> None: ...

        for register in (supervisor.on_open, supervisor.on_close, supervisor.on_error):
            assert cast("Any", register)(hook) is hook
            with pytest.raises(TypeError, match="a hook must be a function, not 5"):
                cast("Any", register)(5)

    @pytest.mark.parametrize("how", ["owner", "open", "event", "shutdown", "crash", "expiry"])
    async def test_on_close_once(self, clock: VirtualClock, how: str) -> None:
        """
        `on_close` runs once for each life, before anything is released, whatever ended it.
        """
        seen: list[object] = []

        async def crash() -> None:
            raise ValueError("crash")

        async def hook(s: Session, reason: CloseReason) -> None:
            await asyncio.sleep(0)
            seen.append((s.id, s.incarnation, reason, s.state, s.vars["x"]))

        async with Supervisor(default=False, idle_timeout=10) as supervisor:
            supervisor.on_close(hook)
            if how == "owner":
                async with supervisor.session("a") as s:
                    s.vars["x"] = 1
                    s.callback(seen.append, "released")
            else:
                s = await supervisor.open("a")
                s.vars["x"] = 1
                s.callback(seen.append, "released")
            if how == "open":
                await s.aclose()
            elif how == "event":
                supervisor.close_soon("a")
            elif how == "crash":
                s.start_soon(crash)
            elif how == "expiry":
                await clock.advance(11)
            if how != "shutdown":
                await clock.settle()
        reason = {
            "owner": CloseReason.COMPLETED,
            "open": CloseReason.COMPLETED,
            "event": CloseReason.DELETED,
            "shutdown": CloseReason.SHUTDOWN,
            "crash": CloseReason.RESOURCE_FAILED,
            "expiry": CloseReason.IDLE,
        }[how]
        assert seen == [("a", 1, reason, SessionState.CLOSING, 1), "released"]

    @pytest.mark.parametrize("is_async", [False, True])
    @pytest.mark.parametrize(
        "error",
        [ValueError("hook"), asyncio.CancelledError(), SystemExit(3), KeyboardInterrupt()],
        ids=lambda error: type(error).__name__,
    )
    @pytest.mark.parametrize("kind", ["on_close", "on_error"])
    async def test_failing_hook(
        self,
        supervisor: Supervisor,
        is_async: bool,
        error: BaseException,
        kind: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """
        Whatever a hook raises, the rest of the clean-up runs, and the session is closed.
        """
        ran: list[str] = []

        def sync_hook(*args: object) -> None:
            ran.append("hook")
            raise error

        async def async_hook(*args: object) -> None:
            await asyncio.sleep(0)
            sync_hook()

        async def clean_up() -> None:
            await asyncio.sleep(0)
            ran.append("clean-up")
            if kind == "on_error":
                raise ZeroDivisionError

        cast("Any", getattr(supervisor, kind))(async_hook if is_async else sync_hook)
        s = await supervisor.open("a")
        s.callback(ran.append, "first")
        s.push_async_callback(clean_up)
        (outcome,) = await asyncio.gather(
            asyncio.create_task(_guarded(s.aclose)), return_exceptions=True
        )
        assert sorted(ran) == ["clean-up", "first", "hook"]
        assert s.state is SessionState.CLOSED
        if isinstance(error, SystemExit | KeyboardInterrupt):
            assert outcome is error
        else:
            assert isinstance(outcome, ExceptionGroup)

    async def test_error_of_an_error_hook(
        self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        The error of an `on_error` hook is logged, not told to itself, and the others are told.
        """
        told: list[str] = []

        @supervisor.on_error
        def sync_hook(s: Session, error: BaseException, where: str) -> None:
            raise KeyError("sync")

        @supervisor.on_error
        async def async_hook(s: Session, error: BaseException, where: str) -> None:
            raise KeyError("async")

        supervisor.on_error(lambda s, error, where: told.append(f"{s.id} {error!r} {where}"))
        s = await supervisor.open("a")

        def clean_up() -> None:
            raise ValueError("no")

        s.callback(clean_up)
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert told == [f"a ValueError('no') callback {clean_up.__qualname__}"]
        assert [repr(each) for each in caught.value.exceptions] == ["ValueError('no')"]
        assert caplog.text.count("an on_error hook failed") == 2

    @pytest.mark.parametrize("is_async", [False, True])
    async def test_on_open_error_is_raised(self, supervisor: Supervisor, is_async: bool) -> None:
        """
        An error of `on_open` ends the session as `failed` and is raised from the opening.
        """
        ended: list[object] = []

        def sync_hook(s: Session) -> None:
            raise ValueError("no")

        async def async_hook(s: Session) -> None:
            await asyncio.sleep(0)
            sync_hook(s)

        supervisor.on_open(cast("Any", async_hook if is_async else sync_hook))
        supervisor.on_close(lambda s, reason: ended.append(reason))
        ways: list[Callable[[], Any]] = [
            lambda: session("a").__aenter__(),
            lambda: supervisor.attach("a").__aenter__(),
            lambda: supervisor.open("a"),
        ]
        for way in ways:
            with pytest.raises(ValueError, match="no"):
                await way()
            assert len(supervisor) == 0
        assert ended == [CloseReason.FAILED] * 3

    async def test_hook_that_hangs(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A hook that hangs is cut short within `close_timeout`, and the clean-up goes on.
        """
        ran: list[str] = []

        async def hang(s: Session, reason: CloseReason) -> None:
            await asyncio.Event().wait()

        supervisor.on_close(hang)
        s = await supervisor.open("a")
        s.callback(ran.append, "callback")
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert caught.group_contains(TimeoutError)
        assert ran == ["callback"]
        assert clock.now <= 5

    async def test_hook_that_ends_the_session(self, supervisor: Supervisor) -> None:
        """
        An end during the opening hooks raises SessionClosed from the opening.
        """
        supervisor.on_open(lambda s: s.close_soon())
        for way in (lambda: session("a").__aenter__(), lambda: supervisor.open("a")):
            with pytest.raises(SessionClosed):
                await cast("Any", way)()
        assert len(supervisor) == 0


async def _guarded(call: Callable[[], Any]) -> object:
    """
    Hand an error on as a value: a fatal one would stop the loop.
    """
    try:
        return await call()
    except BaseException as error:
        return error
