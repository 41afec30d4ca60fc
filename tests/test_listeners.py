from __future__ import annotations

import asyncio
import inspect
from functools import partial
from typing import TYPE_CHECKING
from unittest.mock import AsyncMock, MagicMock

import pytest

from sessionstate import (
    CloseReason,
    Session,
    SessionState,
    Supervisor,
    attach,
    current_session,
    session,
)
from tests.buses import Bus, Fn

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock


@pytest.fixture
def bus() -> Bus:
    """
    Give an emitter with the usual names.
    """
    return Bus("on", "off")


class TestEmitters:
    @pytest.mark.parametrize("end", ["cancel", "session"])
    @pytest.mark.parametrize(
        "names",
        [("on", "remove_listener"), ("on", "off"), ("add_listener", "remove_listener")],
        ids="/".join,
    )
    async def test_pairs(
        self, s: Session, log: list[str], names: tuple[str, str], end: str
    ) -> None:
        """
        A pair is called with event and function, and both ends take back what was added.
        """
        bus = Bus(*names)
        handle = s.listen(bus, "message", log.append)
        assert [event for event, _ in bus.held] == ["message"]
        bus.emit("hello")
        assert (handle.cancel() if end == "cancel" else await s.aclose()) is True
        assert bus.held == []
        assert handle.cancel() is False
        assert log == ["hello"]

    async def test_first_pair_wins(self, s: Session) -> None:
        """
        Of an emitter with several pairs the first is used, both halves of the same.
        """
        bus = Bus("on", "remove_listener")
        other = Bus("on", "off", "connect", "disconnect", "subscribe", "unsubscribe")
        bus.off = other.remove
        s.listen(bus, "message", print)
        await s.aclose()
        assert bus.held == []

    async def test_subscribe(self, s: Session, log: list[str]) -> None:
        """
        A bus that returns a function has it called.
        """
        bus = Bus()
        bus.subscribe = bus.subscription
        s.listen(bus, "message", log.append)
        bus.emit("hello")
        assert [event for event, _ in bus.held] == ["message"]
        await s.aclose()
        assert (bus.held, log) == ([], ["hello"])

    async def test_signal_without_options(self, s: Session, log: list[str]) -> None:
        """
        A signal that knows no senders and no weak references is connected to all.
        """
        bus = Bus("connect", "disconnect")
        s.listen(bus, None, log.append)
        bus.emit("hello")
        assert s.close_soon()
        assert (bus.held, log) == ([], ["hello"])

    async def test_signal_that_wants_its_sender_back(self, s: Session) -> None:
        """
        A signal that takes back only what was connected with the same sender is told it.
        """
        held: list[tuple[Fn, object]] = []

        class Signal:
            def connect(self, receiver: Fn, sender: object = None) -> None:
                held.append((receiver, sender))

            def disconnect(self, receiver: Fn, sender: object = None) -> None:
                if (receiver, sender) in held:
                    held.remove((receiver, sender))

        s.listen(Signal(), "a sender", print)
        assert len(held) == 1
        await s.aclose()
        assert held == []

    async def test_mocks(self, s: Session) -> None:
        """
        A mock is an emitter, and a handler.
        """
        emitter, handler = MagicMock(), AsyncMock()
        s.listen(emitter, "message", handler)
        event, heard = emitter.on.call_args.args
        heard("hello")
        await asyncio.sleep(0)
        handler.assert_awaited_once_with("hello")
        await s.aclose()
        emitter.remove_listener.assert_called_once_with(event, heard)


class TestFunctions:
    async def test_added_and_removed_by_name(self, s: Session, log: list[str]) -> None:
        """
        Both functions are called with what is to be added.
        """
        bus = Bus()
        s.listen(subscribe=bus.add, unsubscribe=bus.remove, handler=log.append)
        bus.emit("hello")
        await s.aclose()
        assert (bus.held, log) == ([], ["hello"])

    async def test_returned_removal(self, s: Session, log: list[str]) -> None:
        """
        Without *unsubscribe*, what subscribing returned takes it back.
        """
        bus = Bus()
        s.listen(subscribe=bus.subscription, handler=log.append)
        bus.emit("hello")
        await s.aclose()
        assert (bus.held, log) == ([], ["hello"])

    async def test_without_a_handler(self, s: Session, log: list[str]) -> None:
        """
        Without *handler* both are called without arguments, and registering is their business.
        """
        s.listen(subscribe=lambda: log.append("add"), unsubscribe=lambda: log.append("remove"))
        s.listen(subscribe=lambda: partial(log.append, "remove the second"))
        assert log == ["add"]
        await s.aclose()
        assert log == ["add", "remove the second", "remove"]


class TestHandlers:
    async def test_in_the_session(self, s: Session, bus: Bus) -> None:
        """
        A handler runs inline as the session's, with all arguments, and its answer goes back.
        """
        s.listen(bus, "message", lambda *args, **kwargs: (current_session(), args, kwargs))
        bus.emit(1, b=2)
        assert bus.answers == [(s, (1,), {"b": 2})]
        with pytest.raises(RuntimeError, match="no current session"):
            current_session()
        async with attach("a"):
            bus.emit()
            assert current_session() is s
        assert len(bus.answers) == 2

    async def test_error_goes_to_the_emitter(self, s: Session, bus: Bus) -> None:
        """
        What a plain handler raises is the emitter's to see, and ends nothing.
        """
        s.listen(bus, "message", int)
        with pytest.raises(ValueError, match="invalid literal"):
            bus.emit("x")
        with pytest.raises(RuntimeError, match="no current session"):
            current_session()
        assert s.state is SessionState.IDLE

    async def test_async_is_a_task(self, s: Session, bus: Bus, log: list[str]) -> None:
        """
        An async handler runs as a task of the session, whose end cancels it.
        """

        async def handler(word: str) -> None:
            try:
                log.append(f"{word} in {current_session().id}")
                await asyncio.Event().wait()
            finally:
                log.append("cancelled")

        s.listen(bus, "message", handler)
        bus.emit("hello")
        assert bus.answers == [None]
        await asyncio.sleep(0)
        assert "2 resources" in repr(s)
        await s.aclose()
        assert log == ["hello in a", "cancelled"]

    async def test_crash_of_a_task_ends_the_session(self, s: Session, bus: Bus) -> None:
        """
        A crash of an async handler ends the session, as that of any task it owns.
        """

        async def handler() -> None:
            raise OSError("lost")

        s.listen(bus, "message", handler)
        bus.emit()
        assert await s.wait_closed() is CloseReason.RESOURCE_FAILED
        assert bus.held == []

    async def test_plain_function_that_ends_the_session(self, s: Session, bus: Bus) -> None:
        """
        A coroutine that comes with the end of the session is closed and not run.
        """

        async def never() -> None:
            raise AssertionError

        def handler() -> object:
            s.close_soon()
            return never()

        s.listen(bus, "message", handler)
        bus.emit()
        assert bus.answers == [None]
        await s.wait_closed()

    async def test_does_not_touch(self, s: Session, bus: Bus, clock: VirtualClock) -> None:
        """
        An event is no activity of the client's: whoever wants it to count touches the session.
        """
        s.listen(bus, "message", print)
        await clock.advance(1)
        bus.emit()
        assert s.last_used == 0

    async def test_cancels_itself(self, s: Session, bus: Bus, log: list[str]) -> None:
        """
        A handler may take its own registration back while it is called.
        """

        async def handler() -> None:
            log.append("ran")

        def once() -> object:
            log.append(str(handle.cancel()))
            return handler()

        handle = s.listen(bus, "message", once)
        bus.emit()
        bus.emit()
        await asyncio.sleep(0)
        assert (log, bus.held) == (["True", "ran"], [])

    async def test_called_while_being_removed(self, s: Session, log: list[str]) -> None:
        """
        An emitter that calls what it removes, or keeps it, calls nobody.
        """
        kept: list[Fn] = []

        def remove(fn: Fn) -> None:
            fn("bye")

        s.listen(subscribe=kept.append, unsubscribe=remove, handler=log.append)
        await s.aclose()
        assert kept[0]("again") is None
        assert log == []

    async def test_nothing_after_the_decision(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        Once the end is decided nothing is heard, though holder and clean-up take their time.
        """
        bus = Bus("on", "off")
        async with session("b") as s:
            s.listen(bus, "message", log.append)
            try:
                supervisor.close_soon("b")
                await asyncio.sleep(1)
            finally:
                bus.emit("late")
        assert (log, bus.held) == ([], [])

    async def test_looks_like_the_handler(self, s: Session, bus: Bus) -> None:
        """
        What is registered has the handler's name and signature, but is plain and its own.
        """

        async def handler(word: str) -> None:
            """Say it."""

        handler.mark = "the emitter's"
        handle = s.listen(bus, "message", handler)
        ((_, heard),) = bus.held
        assert heard.__name__ == "handler"
        assert inspect.signature(heard) == inspect.signature(handler)
        assert not inspect.iscoroutinefunction(heard)
        assert not hasattr(heard, "mark")
        assert repr(handle).startswith("<Listener listener TestHandlers.")
        assert repr(handle).endswith("handler on Bus>")
