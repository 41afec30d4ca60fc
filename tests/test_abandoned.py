"""
Supervisors that nobody leaves: what is done for their sessions without a loop.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import (
    CloseReason,
    Session,
    SessionClosed,
    Supervisor,
    SupervisorClosed,
    current_session,
    current_supervisor,
)
from sessionstate._last import abandon, abandon_all
from sessionstate.testing import VirtualClock
from tests.bodies import LONG, fail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """
    Give a loop that can be left standing.
    """
    with asyncio.Runner(loop_factory=VirtualClock().new_event_loop) as runner:
        yield runner


async def begin(fill: Callable[[Supervisor], Any], **options: Any) -> Supervisor:
    """
    Enter a supervisor, and have *fill* do something with it.
    """
    supervisor = await Supervisor(**options).__aenter__()
    result = fill(supervisor)
    if result is not None:
        await result
    return supervisor


def drop(supervisor: Supervisor) -> list[str]:
    """
    Abandon *supervisor*, and return the complaints.
    """
    with pytest.warns(ResourceWarning) as caught:
        abandon(supervisor)
    return [str(each.message) for each in caught]


class Noting:
    """
    A context manager that notes what is thrown into it.
    """

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def __enter__(self) -> None: ...

    def __exit__(self, cls: type[BaseException] | None, *_: object) -> None:
        self.log.append(f"thrown {cls and cls.__name__}")


class TestAbandon:
    def test_order(self, runner: asyncio.Runner, log: list[str]) -> None:
        """
        Last in, first out: of sessions, so that children go before parents, and in each of them.
        """

        async def fill(supervisor: Supervisor) -> None:
            for id in ("b", "a"):
                s = await supervisor.open(id)
                s.callback(log.append, f"{id}1")
                s.callback(log.append, f"{id}2")
            child = await supervisor["b"].child("c").__aenter__()
            child.callback(log.append, "c1")

        supervisor = runner.run(begin(fill))
        drop(supervisor)
        assert log == ["c1", "a2", "a1", "b2", "b1"]
        assert len(supervisor) == 0

    def test_handle(self, runner: asyncio.Runner) -> None:
        """
        The handle of an abandoned session is that of one that is closed.
        """

        async def fill(supervisor: Supervisor) -> None:
            await supervisor.open("a")

        supervisor = runner.run(begin(fill))
        s = supervisor["a"]
        s.vars["x"] = 1
        states: list[str] = []
        s.callback(lambda: states.append(f"{s.state} {s.vars} {current_session().id}"))
        drop(supervisor)
        assert states == ["closing {'x': 1} a"]
        assert (s.state, s.close_reason) == ("closed", "shutdown")
        assert s.close_soon() is False
        with pytest.raises(SessionClosed):
            s.callback(print)
        assert runner.run(s.wait_closed()) == "shutdown"
        with pytest.raises(SupervisorClosed, match="was left"):
            runner.run(supervisor.open("a"))

    def test_errors_are_isolated(
        self, runner: asyncio.Runner, log: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Whatever a callback raises is logged, and the rest goes on.
        """

        def leave() -> None:
            sys.exit(3)

        async def fill(supervisor: Supervisor) -> None:
            for id in ("a", "b"):
                s = await supervisor.open(id)
                s.callback(log.append, id)
                s.callback(fail)
                s.callback(leave)

        drop(runner.run(begin(fill)))
        assert log == ["b", "a"]
        assert [record.levelno for record in caplog.records] == [logging.ERROR] * 4
        assert "callback fail of session 'b' failed" in caplog.text

    def test_once(self, runner: asyncio.Runner, log: list[str]) -> None:
        """
        A callback that ran does not run again, whatever comes after.
        """

        async def fill(supervisor: Supervisor) -> None:
            s = await supervisor.open("a")
            s.callback(log.append, "first")
            s.callback(lambda: s.callback(log.append, "added late"))
            s.callback(abandon_all)

        supervisor = runner.run(begin(fill))
        drop(supervisor)
        abandon(supervisor)
        abandon_all()
        runner.run(supervisor.__aexit__(None, None, None))
        assert log == ["added late", "first"]

    def test_never_elsewhere(
        self, runner: asyncio.Runner, log: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        In another process than entered it, nothing is done, even if nobody told of the fork.
        """

        async def fill(supervisor: Supervisor) -> None:
            (await supervisor.open("a")).callback(log.append, "first")

        supervisor = runner.run(begin(fill))
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)
            abandon(supervisor)
        assert log == []
        drop(supervisor)
        assert log == ["first"]

    def test_never_if_left(self, runner: asyncio.Runner, log: list[str]) -> None:
        """
        For a supervisor that was left, there is nothing to do and nothing to say.
        """

        async def main() -> Supervisor:
            async with Supervisor() as supervisor:
                s = await supervisor.open("a")
                s.callback(log.append, "first")
            return supervisor

        supervisor = runner.run(main())
        abandon(supervisor)
        assert log == ["first"]

    def test_closing_session(
        self, runner: asyncio.Runner, log: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Of a clean-up that had begun, what is left and needs no loop is done.
        """

        async def fill(supervisor: Supervisor) -> None:
            s = await supervisor.open("a")
            supervisor.on_close(lambda s, reason: log.append(f"{s.id} {reason}"))
            s.callback(log.append, "first")
            s.enter_context(Noting(log))
            s.push_async_callback(asyncio.sleep, LONG)
            s.callback(log.append, "last")
            s.close_soon(CloseReason.RESOURCE_FAILED)
            await asyncio.sleep(1)

        supervisor = runner.run(begin(fill))
        assert log == ["a resource_failed", "last"]
        s = next(iter(supervisor._closing.values()))
        drop(supervisor)
        assert log[2:] == ["thrown SessionClosed", "first"]
        assert (s.state, s.close_reason) == ("closed", "resource_failed")
        runner.run(asyncio.sleep(LONG))  # what was under way comes too late
        assert len(log) == 4
        assert caplog.records == []

    @pytest.mark.parametrize("how", ["held", "idle", "crashed", "interrupted", "failed"])
    def test_what_contexts_see(self, runner: asyncio.Runner, log: list[str], how: str) -> None:
        """
        A session that somebody was inside of did not complete, and its transactions roll back.
        """
        over: list[bool] = []

        async def hold(supervisor: Supervisor) -> None:
            enter = supervisor.attach if how == "failed" else supervisor.session
            async with enter("a") as s:
                s.enter_context(Noting(log))
                if how == "idle":
                    return
                s.push_async_callback(asyncio.sleep, LONG)
                if how == "crashed":
                    s.start_soon(crash)
                while not over:
                    with suppress(asyncio.CancelledError):
                        await asyncio.sleep(LONG)

        async def own(supervisor: Supervisor) -> None:
            with pytest.raises(ZeroDivisionError):
                async with supervisor.session("a", linger=0):
                    await crash()

        async def crash() -> None:
            raise ZeroDivisionError

        async def fill(supervisor: Supervisor) -> None:
            tasks.append(asyncio.create_task(hold(supervisor)))
            await asyncio.sleep(1)
            if how == "interrupted":
                supervisor.close_soon("a")
            if how == "failed":
                tasks.append(asyncio.create_task(own(supervisor)))
                await asyncio.sleep(1)

        tasks: list[asyncio.Task[None]] = []
        supervisor = runner.run(begin(fill, close_timeout=None, linger=60))
        drop(supervisor)
        seen = {"idle": None, "failed": "ZeroDivisionError"}.get(how, "SessionClosed")
        assert log == [f"thrown {seen}"]
        over.append(True)

    def test_hooks(self, runner: asyncio.Runner, log: list[str]) -> None:
        """
        Sync on_close hooks are called before anything is released; an async one does not begin.
        """

        async def later(s: Session, reason: CloseReason) -> None:
            log.append("never")

        async def fill(supervisor: Supervisor) -> None:
            supervisor.on_close(later)
            supervisor.on_close(lambda s, reason: log.append(f"{s.id} {reason}"))
            s = await supervisor.open("a")
            s.callback(log.append, "first")

        drop(runner.run(begin(fill)))
        assert log == ["a shutdown", "first"]

    @pytest.mark.parametrize("closes", [True, False])
    def test_what_needs_a_loop(self, log: list[str], closes: bool) -> None:
        """
        Async callbacks and contexts, tasks and waiters are given up, in a closed loop too.
        """

        @asynccontextmanager
        async def context() -> AsyncIterator[None]:
            yield

        async def fill(supervisor: Supervisor) -> None:
            s = await supervisor.open("a", max_age=60)
            s.callback(log.append, "first")
            await s.enter_async_context(context())
            s.push_async_callback(asyncio.sleep, LONG)
            s.start_soon(asyncio.sleep, LONG)
            s.call_later(5, log.append, "never")
            tasks.append(asyncio.create_task(s.wait_closed()))
            await asyncio.sleep(1)

        tasks: list[asyncio.Task[Any]] = []
        loop = VirtualClock().new_event_loop()
        supervisor = loop.run_until_complete(begin(fill))
        s = supervisor["a"]
        if closes:
            loop.close()
        drop(supervisor)
        assert log == ["first"]
        assert s.state == "closed"
        if not closes:
            assert loop.run_until_complete(tasks[0]) == "shutdown"
            loop.run_until_complete(asyncio.sleep(LONG))
        assert log == ["first"]
        loop.close()
        gc.collect()

    def test_complaints(self, runner: asyncio.Runner) -> None:
        """
        The complaints name what was not left, and where that began.
        """

        async def fill(supervisor: Supervisor) -> None:
            await supervisor.open("a")

        first, second = drop(runner.run(begin(fill, name="lost")))
        assert "<Supervisor 'lost' running, 1 session>, entered at " in first
        assert f"{__file__}:" in first
        assert "<Session 'a' idle" in second
        assert f"opened at {__file__}:" in second

    def test_another_default(self, runner: asyncio.Runner) -> None:
        """
        An abandoned supervisor is the loop's default no longer.
        """

        async def main() -> None:
            async with Supervisor() as supervisor:
                assert current_supervisor() is supervisor

        drop(runner.run(begin(lambda _: None)))
        runner.run(main())

    def test_nothing_else_complains(self) -> None:
        """
        Who drops a supervisor with its loop hears of that from it, and not from its hidden tasks.
        """
        told: list[object] = []
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda _, context: told.append(context))
        supervisor = loop.run_until_complete(begin(lambda supervisor: supervisor.open("a")))
        loop.close()
        drop(supervisor)
        del supervisor
        gc.collect()
        assert told == []
