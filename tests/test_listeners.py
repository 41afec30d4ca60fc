from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, MagicMock

import blinker
import pytest
from pyee import EventEmitter
from pyee.asyncio import AsyncIOEventEmitter
from pyee.executor import ExecutorEventEmitter

from sessionstate import (
    CloseReason,
    Session,
    SessionClosed,
    Supervisor,
    attach,
    current_session,
    session,
)
from sessionstate._reasons import SessionState

if TYPE_CHECKING:
    from tests.virtual_time import Clock

Fn = Callable[..., Any]

NEITHER = "either an emitter, an event and a handler, or subscribe="


class Bus:
    """
    Something one can listen to under whatever names: it remembers what it was given, in order.
    """

    def __init__(self, *names: str) -> None:
        self.held: list[tuple[Any, ...]] = []
        self.answers: list[Any] = []
        for add, remove in zip(names[::2], names[1::2], strict=True):
            setattr(self, add, self.add)
            setattr(self, remove, self.remove)

    def add(self, *args: Any) -> None:
        """
        Hold it.
        """
        self.held.append(args)

    def remove(self, *args: Any) -> None:
        """
        Let go of it.
        """
        self.held.remove(args)

    def subscription(self, *args: Any) -> Fn:
        """
        Hold it and return what lets go.
        """
        self.add(*args)
        return partial(self.remove, *args)

    def emit(self, *args: Any, **kwargs: Any) -> None:
        """
        Call all that is held.
        """
        for *_, fn in list(self.held):
            self.answers.append(fn(*args, **kwargs))


@pytest.fixture
async def s(supervisor: Supervisor) -> Session:
    """
    Give a session that nobody holds.
    """
    return await supervisor.open("a")


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

    async def test_does_not_touch(self, s: Session, bus: Bus, clock: Clock) -> None:
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


class TestThreads:
    async def test_comes_to_the_loop(self, s: Session, bus: Bus, log: list[str]) -> None:
        """
        What another thread emits is heard in the loop's thread, and the emitter gets None.
        """
        heard = asyncio.Event()

        def handler(word: str, *, mark: str) -> str:
            current_session().touch()
            log.append(f"{word}{mark} {threading.get_ident() == here}")
            heard.set()
            return word

        here = threading.get_ident()
        s.listen(bus, "message", handler)
        await asyncio.to_thread(bus.emit, "hello", mark="!")
        await heard.wait()
        assert (log, bus.answers) == (["hello! True"], [None])

    async def test_ended_meanwhile(self, s: Session, bus: Bus, log: list[str]) -> None:
        """
        What comes from another thread too late is dropped.
        """
        s.listen(bus, "message", log.append)
        thread = threading.Thread(target=bus.emit, args=("hello",))
        thread.start()
        thread.join()  # the loop could not run meanwhile
        s.close_soon()
        await asyncio.sleep(0)
        assert log == []

    @pytest.mark.parametrize("ended", [False, True])
    async def test_error_ends_the_session(self, s: Session, bus: Bus, ended: bool) -> None:
        """
        An error that cannot go back to another thread ends the session.
        """

        def handler() -> None:
            if ended:
                s.close_soon(CloseReason.DELETED)
            raise OSError("lost")

        s.listen(bus, "message", handler)
        await asyncio.to_thread(bus.emit)
        reason = await s.wait_closed()
        assert reason is (CloseReason.DELETED if ended else CloseReason.RESOURCE_FAILED)

    async def test_pyee_executor(self, s: Session, log: list[str]) -> None:
        """
        An emitter that calls everything in threads is heard in the loop's thread too.
        """
        heard = asyncio.Event()

        def handler(word: str) -> None:
            log.append(f"{word} {threading.get_ident() == here}")
            heard.set()

        here = threading.get_ident()
        with ExecutorEventEmitter() as emitter:
            s.listen(emitter, "message", handler)
            emitter.emit("message", "hello")
            await heard.wait()
        assert log == ["hello True"]

    def test_loop_is_closed(self, log: list[str], unraisable: list[str]) -> None:
        """
        What comes from another thread when the loop is gone is dropped.
        """
        bus = Bus("on", "off")

        async def main() -> Session:
            supervisor = Supervisor(default=False)
            supervisor._start((lambda: None).__code__, 0)
            s = await supervisor.open("a")
            s.listen(bus, "message", log.append)
            supervisor._expiry.stop()
            return s

        s = asyncio.run(main())
        assert s.state is SessionState.IDLE
        thread = threading.Thread(target=bus.emit, args=("hello",))
        thread.start()
        thread.join()
        assert (log, bus.answers) == ([], [None])
        bus.held.clear()
        del s
        gc.collect()
        assert ["dropped without being left" in each for each in unraisable] == [True]
        unraisable.clear()


class TestFailing:
    async def test_removal_that_raises(self, s: Session, bus: Bus, log: list[str]) -> None:
        """
        An emitter that cannot let go is a clean-up error; the rest goes on, and it holds a shell.
        """

        def remove(*_: object) -> None:
            raise OSError("broken")

        class Agent:
            def hear(self, word: str) -> None:
                log.append(word)

        agent = Agent()
        s.callback(log.append, "the rest")
        s.listen(subscribe=bus.add, unsubscribe=remove, handler=agent.hear)
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert [str(error) for error in caught.value.exceptions] == ["broken"]
        assert log == ["the rest"]
        assert len(bus.held) == 1
        del caught
        gone = weakref.ref(agent)
        del agent
        assert gone() is None
        bus.emit("hello")

    async def test_cancel_that_raises(self, s: Session, bus: Bus) -> None:
        """
        Whoever takes it back sees the emitter's error, once.
        """
        handle = s.listen(subscribe=bus.add, unsubscribe=lambda _: 1 / 0, handler=print)
        with pytest.raises(ZeroDivisionError):
            handle.cancel()
        assert handle.cancel() is False
        await s.aclose()

    async def test_cancel_from_another_thread(self, s: Session, bus: Bus) -> None:
        """
        A handle belongs to the loop's thread.
        """
        handle = s.listen(bus, "message", print)
        with pytest.raises(RuntimeError, match="belongs to another thread"):
            await asyncio.to_thread(handle.cancel)
        assert handle.cancel()

    async def test_add_that_raises(self, s: Session, bus: Bus) -> None:
        """
        An emitter that raises while it adds leaves nothing, even if it had added.
        """

        def add(fn: Fn) -> None:
            bus.add(fn)
            raise OSError("broken")

        with pytest.raises(OSError, match="broken"):
            s.listen(subscribe=add, unsubscribe=bus.remove, handler=print)
        with pytest.raises(ZeroDivisionError):
            s.listen(subscribe=lambda _: 1 / 0, unsubscribe=bus.remove, handler=print)
        assert (bus.held, "resource" in repr(s)) == ([], False)

    async def test_add_that_ends_the_session(self, s: Session, bus: Bus, log: list[str]) -> None:
        """
        What ends the session while it adds has added nothing.
        """

        def add(fn: Fn) -> None:
            s.close_soon()
            bus.add(fn)

        s.callback(log.append, "closed")
        with pytest.raises(SessionClosed):
            s.listen(subscribe=add, unsubscribe=bus.remove, handler=print)
        assert (bus.held, log) == ([], ["closed"])

    async def test_add_that_calls(self, s: Session, bus: Bus, log: list[str]) -> None:
        """
        An emitter may call what it adds at once, as those do that replay the last value.
        """

        def add(fn: Fn) -> None:
            bus.add(fn)
            fn("last")

        s.listen(subscribe=add, unsubscribe=bus.remove, handler=log.append)
        assert log == ["last"]

    async def test_ended_session(self, s: Session, bus: Bus) -> None:
        """
        Nothing is added for a session that has ended.
        """
        await s.aclose()
        with pytest.raises(SessionClosed):
            s.listen(bus, "message", print)
        assert bus.held == []

    async def test_async_functions(self, s: Session) -> None:
        """
        What nobody would await is refused, with what to use instead.
        """

        async def asynchronous(*_: object) -> None:
            raise AssertionError

        with pytest.raises(TypeError, match=r"asynchronous is async.*enter_async_context"):
            s.listen(subscribe=asynchronous, unsubscribe=asynchronous, handler=print)
        s.listen(subscribe=print, unsubscribe=asynchronous)
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert "enter_async_context" in str(caught.value.exceptions[0])

    @pytest.mark.parametrize(
        ("args", "kwargs", "message"),
        [
            ((), {}, NEITHER),
            ((Bus("on", "off"),), {}, NEITHER),
            ((), {"handler": print}, NEITHER),
            ((Bus("on", "off"), "x"), {}, NEITHER),
            ((Bus("on", "off"), print), {}, NEITHER),
            ((Bus("on", "off"), "x", print), {"subscribe": print}, NEITHER),
            ((), {"event": "x", "subscribe": print}, NEITHER),
            ((), {"unsubscribe": print}, NEITHER),
            ((), {"unsubscribe": print, "handler": print}, NEITHER),
            ((Bus("on", "off"), "x", "print"), {}, "a function is needed, not 'print'"),
            ((), {"subscribe": "x"}, "a function is needed, not 'x'"),
            ((), {"subscribe": print, "unsubscribe": 1}, "a function is needed, not 1"),
            ((Bus("on", "of"), "x", print), {}, "has none of on/remove_listener, on/off"),
            (("bus", "x", print), {}, "name the two functions"),
            ((), {"subscribe": lambda: 5}, "subscribing returned 5"),
        ],
    )
    async def test_refused(
        self, s: Session, args: tuple[Any, ...], kwargs: dict[str, Any], message: str
    ) -> None:
        """
        What is not clear is refused, with advice, and leaves nothing.
        """
        with pytest.raises(TypeError, match=message):
            s.listen(*args, **kwargs)
        assert "resource" not in repr(s)

    async def test_connection_is_no_signal(self, s: Session) -> None:
        """
        A client that connects to a host is not taken for a signal.
        """

        class Client:
            def connect(self, host: str, port: int = 0) -> None:
                raise AssertionError

            def disconnect(self) -> None:
                raise AssertionError

        with pytest.raises(TypeError, match="that fits"):
            s.listen(Client(), "message", print)

    async def test_signature_that_cannot_be_read(self, s: Session) -> None:
        """
        A signal written in C, of which nothing can be read, is given nothing but the function.
        """
        held: dict[str, Any] = {}

        class Signal:
            connect = held.update
            disconnect = held.clear

        with pytest.raises(TypeError, match="that fits"):
            s.listen(Signal(), "sender", print)


class TestPyee:
    @pytest.mark.parametrize("emitter_class", [EventEmitter, AsyncIOEventEmitter])
    async def test_two_sessions_one_handler(
        self, supervisor: Supervisor, log: list[str], emitter_class: type[EventEmitter]
    ) -> None:
        """
        Two sessions may listen with the same function: the end of one is not that of the other.
        """
        emitter = emitter_class()
        a, b = await supervisor.open("a"), await supervisor.open("b")

        def handler(word: str) -> None:
            log.append(f"{word} {current_session().id}")

        a.listen(emitter, "message", handler)
        b.listen(emitter, "message", handler)
        emitter.emit("message", "both")
        await a.aclose()
        emitter.emit("message", "one")
        await b.aclose()
        assert log == ["both a", "both b", "one b"]
        assert emitter.event_names() == set()

    async def test_async_handler_dies_with_the_session(self, s: Session) -> None:
        """
        An async handler's task is the session's, not the emitter's, though all are removed first.
        """
        emitter = AsyncIOEventEmitter()

        async def handler() -> None:
            await asyncio.Event().wait()

        s.listen(emitter, "message", handler)
        emitter.emit("message")
        assert emitter.complete
        emitter.remove_all_listeners("message")
        await s.aclose()

    async def test_other_key_errors_are_told(self, s: Session) -> None:
        """
        That somebody removed all listeners before is no error; another KeyError is one.
        """
        s.listen(subscribe=print, unsubscribe=lambda: {}["x"])
        with pytest.raises(ExceptionGroup):
            await s.aclose()

    async def test_session_ended_by_an_earlier_listener(self, s: Session, log: list[str]) -> None:
        """
        An emitter calls what was removed during the same emit; nobody hears it.
        """
        emitter = EventEmitter()
        s.listen(emitter, "deleted", s.close_soon)
        s.listen(emitter, "deleted", lambda: log.append("late"))
        emitter.emit("deleted")
        assert log == []

    async def test_ended_before_it_is_added(self, s: Session) -> None:
        """
        An emitter tells of a new listener before it adds it; an end at that moment leaves nothing.
        """
        emitter = EventEmitter()
        emitter.on("new_listener", lambda *_: s.close_soon())
        with pytest.raises(SessionClosed):
            s.listen(emitter, "message", print)
        assert emitter.event_names() == {"new_listener"}

    async def test_thousand_sessions(self, supervisor: Supervisor) -> None:
        """
        However each session ends, the emitter holds no listener of it.
        """
        emitter = AsyncIOEventEmitter()

        async def handler(_: object) -> None:
            await asyncio.Event().wait()

        for i in range(1000):
            s = await supervisor.open(str(i))
            s.listen(emitter, "message", handler)
        assert len(emitter.listeners("message")) == 1000
        emitter.emit("message", 1)
        for i in range(0, 1000, 2):
            supervisor.close_soon(str(i))
        await asyncio.gather(*[supervisor.close(str(i)) for i in range(1000)])
        assert emitter.event_names() == set()


class TestBlinker:
    async def test_strong_and_gone_at_the_end(self, s: Session, log: list[str]) -> None:
        """
        A lambda is heard, though blinker is weak by default, and the end leaves no row.
        """
        signal = blinker.Signal()
        s.listen(signal, None, lambda sender, word: log.append(f"{sender} {word}"))
        gc.collect()
        signal.send("anybody", word="hello")
        await s.aclose()
        signal.send("anybody", word="again")
        assert log == ["anybody hello"]
        assert not signal.receivers

    async def test_one_sender(self, s: Session, log: list[str]) -> None:
        """
        Given a sender, no other is heard; the end leaves no receiver and no sender.
        """

        class Sender:
            pass

        signal, mine, other = blinker.Signal(), Sender(), Sender()
        s.listen(signal, mine, lambda _, word: log.append(word))
        signal.send(mine, word="mine")
        signal.send(other, word="other")
        await s.aclose()
        del mine
        assert log == ["mine"]
        assert not signal.receivers
        assert not signal._by_receiver
        assert not signal._weak_senders

    async def test_any_and_async(self, s: Session, log: list[str]) -> None:
        """
        The signal's own word for all senders is understood, and an async handler needs no wrapper.
        """
        signal = blinker.Signal()

        async def handler(sender: object, word: str) -> None:
            log.append(word)

        s.listen(signal, blinker.ANY, handler)
        signal.send(word="hello")
        await asyncio.sleep(0)
        assert log == ["hello"]

    async def test_registration_that_fails(self, s: Session) -> None:
        """
        A listener of blinker's own signal that raises keeps the receiver out.
        """
        signal = blinker.Signal()

        def refuse(*_: object, **__: object) -> None:
            raise OSError("refused")

        signal.receiver_connected.connect(refuse)
        with pytest.raises(OSError, match="refused"):
            s.listen(signal, None, print)
        assert not signal.receivers


class TestFreed:
    async def test_by_count(self, supervisor: Supervisor) -> None:
        """
        A session whose listeners were heard is freed by its count, while the emitter lives on.
        """
        emitter, signal = AsyncIOEventEmitter(), blinker.Signal()

        class Agent:
            def hear(self, *_: object) -> None:
                pass

            async def attend(self, *_: object) -> None:
                pass

        agent = Agent()
        s = await supervisor.open("a")
        s.listen(emitter, "message", agent.hear)
        s.listen(emitter, "message", agent.attend)
        s.listen(signal, None, agent.hear)
        cancelled = s.listen(signal, None, agent.hear)
        emitter.emit("message")
        signal.send()
        await asyncio.sleep(0)
        cancelled.cancel()
        gc.disable()
        try:
            await s.aclose()
            refs = [weakref.ref(s), weakref.ref(agent)]
            del s, agent
            assert [ref() for ref in refs] == [None, None]
        finally:
            gc.enable()
