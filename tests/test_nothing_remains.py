"""
Sessions that own nothing cost nothing, and nothing of a closed one remains.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING

import pytest

from sessionstate import (
    Session,
    SessionClosed,
    SessionMap,
    SessionVar,
    Supervisor,
    attach,
    current_session,
    session,
)
from sessionstate.testing import VirtualClock
from tests.bodies import LONG, fail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.virtual_time


class TestNothingOwned:
    @pytest.mark.parametrize("enter", ["session", "open"])
    @pytest.mark.parametrize("callbacks", [0, 2])
    async def test_without_a_task_or_an_await(
        self,
        supervisor: Supervisor,
        enter: str,
        callbacks: int,
        steps: Callable[[], int],
        log: list[str],
    ) -> None:
        """
        A session with sync callbacks only is opened and closed in one go.
        """
        await asyncio.sleep(0)
        before = steps(), asyncio.all_tasks()
        block = session("a")
        if enter == "session":
            s = await block.__aenter__()
        else:
            s = await supervisor.open("a")
        for _ in range(callbacks):
            s.callback(log.append, "clean")
        if enter == "session":
            await block.__aexit__(None, None, None)
        else:
            await supervisor.close("a")
        assert (steps(), asyncio.all_tasks()) == before
        assert (s.state, log) == ("closed", ["clean"] * callbacks)

    async def test_plain_callbacks_that_fail(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        A sync callback that fails stops none of the others, and no context sees anything of it.
        """
        with pytest.raises(ExceptionGroup) as caught:
            async with session("a") as s:
                s.callback(log.append, "first")
                s.callback(fail)
                s.callback(log.append, "second")
                s.callback(fail)
        assert log == ["second", "first"]
        assert len(caught.value.exceptions) == 2

    async def test_callback_that_closes_another_session(
        self, supervisor: Supervisor, log: list[str]
    ) -> None:
        """
        A sync clean-up may end other sessions, each in its own context.
        """
        b = await supervisor.open("b")
        b.callback(lambda: log.append(current_session().id))
        async with session("a") as s:
            s.callback(lambda: log.append(current_session().id))
            s.callback(b.close_soon)
            s.callback(lambda: log.append(current_session().id))
        assert log == ["a", "b", "a"]


class TestNothingRemains:
    @pytest.fixture(autouse=True)
    def no_collector(self) -> Iterator[None]:
        """
        Keep the collector of cycles out of it.
        """
        gc.collect()
        gc.disable()
        yield
        gc.enable()

    @pytest.mark.parametrize("kind", ["nothing", "sync", "async", "context", "task", "waited"])
    async def test_closed(self, supervisor: Supervisor, kind: str) -> None:
        """
        A closed session is freed by its reference count.
        """

        async def use() -> weakref.ref[Session]:
            async with session("a") as s:
                s.vars["self"] = s
                if kind == "sync":
                    s.callback(s.touch)
                elif kind == "async":
                    s.push_async_callback(asyncio.sleep, 1)
                elif kind == "context":
                    await s.enter_async_context(asyncio.TaskGroup())
                elif kind == "task":
                    s.start_soon(asyncio.sleep, LONG)
                    await asyncio.sleep(0)
                elif kind == "waited":
                    s.close_soon()
                return weakref.ref(s)

        ref = await use()
        await asyncio.sleep(1)
        assert ref() is None

    @pytest.mark.parametrize("how", ["failed", "cancelled", "interrupted", "asked", "crashed"])
    @pytest.mark.parametrize("slow", [True, False])
    async def test_ended_otherwise(self, supervisor: Supervisor, how: str, slow: bool) -> None:
        """
        Whatever came out of its block, a session is freed with that.
        """
        refs: list[weakref.ref[Session]] = []

        async def crash() -> None:
            await asyncio.sleep(0)  # an eager task that fails at once keeps its context in CPython
            raise ZeroDivisionError

        async def use() -> None:
            async with session("a") as s:
                refs.append(weakref.ref(s))
                if slow:
                    s.push_async_callback(asyncio.sleep, 2)
                if how == "failed":
                    raise ValueError
                if how == "asked":
                    s.close_soon()
                if how == "crashed":
                    s.start_soon(crash)
                await asyncio.sleep(LONG)

        async def catch() -> None:
            with suppress(BaseException):
                await use()

        task = asyncio.create_task(catch())
        await asyncio.sleep(1)
        if how == "interrupted":
            supervisor.close_soon("a")
        for _ in range(2 if how == "cancelled" else 0):
            task.cancel()
            await asyncio.sleep(0.5)
        await task
        del task
        await asyncio.sleep(1)
        assert [ref() for ref in refs] == [None]

    async def test_stale_handle_pins_nothing(self, supervisor: Supervisor) -> None:
        """
        A handle of a closed session in some copied context keeps no value alive.
        """

        class Agent:
            pass

        agents = SessionMap[Agent]("agents")
        var = SessionVar[Agent]("var")
        values = [Agent(), Agent(), Agent()]
        refs = [weakref.ref(value) for value in values]
        async with session("a") as s:
            agents[s], s.vars["agent"] = values.pop(), values.pop()
            var.set(values.pop())
            task = asyncio.create_task(asyncio.sleep(LONG))  # its context names the session
        assert s.state == "closed"
        assert [ref() for ref in refs] == [None] * 3
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def test_copy(self, supervisor: Supervisor) -> None:
        """
        A session cannot be copied, so that there is one handle to drop.
        """
        s = await supervisor.open("a")
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            copy(s)


class TestOrderIsTheSame:
    def test_of_two_runs(self) -> None:
        """
        The same program ends its sessions in the same order on each run.
        """

        async def main() -> list[str]:
            log: list[str] = []

            async def hold(id: str) -> None:
                with suppress(SessionClosed):
                    async with attach(id) as s:
                        s.start_soon(work, id)
                        await asyncio.sleep(LONG)
                log.append(f"out of {id}")

            async def work(id: str) -> None:
                try:
                    await asyncio.sleep(LONG)
                finally:
                    log.append(f"work of {id}")

            async with Supervisor() as supervisor, asyncio.TaskGroup() as group:
                for number in range(12):
                    for _ in range(3):
                        group.create_task(hold(f"id {number}"))
                await asyncio.sleep(1)
                for id in list(supervisor):
                    supervisor.close_soon(id)
            return log

        runs: list[Callable[[], list[str]]] = [lambda: VirtualClock().run(main())] * 3
        first, *others = [each() for each in runs]
        assert len(first) == 72
        assert all(other == first for other in others)
