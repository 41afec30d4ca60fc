from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest
from pyee.executor import ExecutorEventEmitter

from sessionstate import (
    CloseReason,
    Session,
    SessionClosed,
    SessionState,
    Supervisor,
    current_session,
)
from tests.buses import Bus, Fn

NEITHER = "either an emitter, an event and a handler, or subscribe="


@pytest.fixture
def bus() -> Bus:
    """
    Give an emitter with the usual names.
    """
    return Bus("on", "off")


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

    async def test_cancelled_error_ends_the_session(self, s: Session, bus: Bus) -> None:
        """
        So does a CancelledError, though nobody cancelled anything.
        """

        def handler() -> None:
            raise asyncio.CancelledError

        s.listen(bus, "message", handler)
        await asyncio.to_thread(bus.emit)
        assert await s.wait_closed() is CloseReason.RESOURCE_FAILED

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

    async def test_add_and_remove_that_raise(self, supervisor: Supervisor, bus: Bus) -> None:
        """
        What an emitter keeps that raised while adding, and cannot remove, holds no session.
        """

        def add(fn: Fn) -> None:
            bus.add(fn)
            raise OSError("broken")

        s = await supervisor.open("b")
        with pytest.raises(OSError, match="broken"):
            s.listen(subscribe=add, unsubscribe=lambda _: 1 / 0, handler=print)
        await s.aclose()
        gone = weakref.ref(s)
        del s
        assert gone() is None
        assert len(bus.held) == 1

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
