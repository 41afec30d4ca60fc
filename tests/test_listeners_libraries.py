from __future__ import annotations

import asyncio
import gc
import weakref

import blinker
import pytest
from pyee import EventEmitter
from pyee.asyncio import AsyncIOEventEmitter

from sessionstate import (
    Session,
    SessionClosed,
    Supervisor,
    current_session,
)


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
