"""
Waits that would never end, and what becomes of them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sessionstate import SessionClosed, Supervisor, attach, session
from tests.bodies import LONG, cancelling, nothing_stray

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

    Ask = Callable[[Supervisor], Awaitable[object]]

pytestmark = pytest.mark.virtual_time


ASKS: dict[str, Ask] = {
    "close": lambda supervisor: supervisor.close("a"),
    "lookup": lambda supervisor: supervisor.lookup("a"),
    "open": lambda supervisor: supervisor.open("a"),
    "session": lambda supervisor: supervisor.session("a").__aenter__(),
    "attach": lambda supervisor: supervisor.attach("a").__aenter__(),
}
RAISES = {"lookup", "open", "session", "attach", "wait_closed"}


class TestCrossedBlocks:
    @pytest.mark.parametrize("kind", ["owner", "visitor"])
    @pytest.mark.parametrize("how", ["shutdown", "at once", "one after the other"])
    async def test_two_tasks_in_two_sessions(
        self, start_supervisor: StartSupervisor, clock: VirtualClock, kind: str, how: str
    ) -> None:
        """
        Two tasks inside two sessions, entered in opposite orders, do not wait for each other.
        """
        supervisor = await start_supervisor(close_timeout=None, default=False)
        inner = supervisor.session if kind == "owner" else supervisor.attach

        async def both(outer_id: str, inner_id: str) -> None:
            async with supervisor.session(outer_id):
                await asyncio.sleep(1)
                async with inner(inner_id):
                    await asyncio.sleep(LONG)

        tasks = [asyncio.create_task(both(*ids)) for ids in ("ab", "ba")]
        sessions = [await supervisor.open(id) for id in "ab"]
        await clock.advance(2)
        if how == "shutdown":
            await supervisor.__aexit__(None, None, None)
        elif how == "at once":
            assert [supervisor.close_soon(id) for id in "ab"] == [True, True]
        else:
            await supervisor.close("a")
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, SessionClosed) for each in outcomes), outcomes
        assert clock.now == 2
        assert [each.state for each in sessions] == ["closed", "closed"]
        assert supervisor.statistics().stuck == 0


class TestNobodyDeadlocks:
    @pytest.mark.parametrize("how", ["session", "attach", "open", "lookup"])
    async def test_who_asks_in_the_step_of_the_end_hears_of_the_end(
        self, supervisor: Supervisor, how: str
    ) -> None:
        """
        A holder that asks for its session as somebody else ends it hears of that, as any holder.
        """
        go = asyncio.Event()

        async def hold() -> None:
            async with supervisor.session("a"):
                await go.wait()
                await ASKS[how](supervisor)

        holder = asyncio.create_task(hold())
        await asyncio.sleep(0)
        go.set()  # it goes on before it can be interrupted
        supervisor.close_soon("a")
        with pytest.raises(SessionClosed, match="deleted"):
            await holder

    @pytest.mark.parametrize("how", [*ASKS, "aclose", "wait_closed"])
    @pytest.mark.parametrize("where", ["callback", "hook", "task", "context", "body"])
    async def test_from_inside(  # noqa: C901
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str], where: str, how: str
    ) -> None:
        """
        From inside, closing does not wait, and what would wait for ever raises.
        """
        s = await supervisor.open("a")

        async def ask() -> None:
            try:
                if how == "aclose":
                    assert not await s.aclose()
                elif how == "wait_closed":
                    await s.wait_closed()
                else:
                    assert not await ASKS[how](supervisor)
            except RuntimeError:
                log.append("refused")
            else:
                log.append("answered")

        async def work() -> None:
            try:
                await asyncio.sleep(LONG)
            finally:
                await ask()

        class Context:
            async def __aenter__(self) -> None:
                pass

            async def __aexit__(self, *_: object) -> None:
                await ask()

        if where == "callback":
            s.push_async_callback(ask)
        elif where == "hook":
            supervisor.on_close(lambda s, reason: ask())
        elif where == "task":
            s.start_soon(work)
        elif where == "context":
            await s.enter_async_context(Context())
        await asyncio.sleep(0)
        if where == "body":
            async with attach("a"):
                s.close_soon()
                await ask()
        else:
            await s.aclose()
        assert log == ["refused" if how in RAISES else "answered"]
        assert (clock.now, s.state) == (0, "closed")
        assert supervisor.statistics().clean_up_errors == 0

    async def test_each_closes_the_other(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        Two clean-ups that close each other's session both complete.
        """
        for id, other in ("a", "b"), ("b", "a"):
            s = await supervisor.open(id)
            s.callback(log.append, id)
            s.push_async_callback(supervisor.close, other)
        assert await supervisor.close("a")
        assert (clock.now, sorted(log)) == (0, ["a", "b"])

    async def test_clean_up_waits_for_who_waits_for_it(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A clean-up is refused the end of a session one of whose holders waits for that clean-up.
        """
        a, b = await supervisor.open("a"), await supervisor.open("b")

        async def clean() -> None:
            with pytest.raises(RuntimeError, match="would never return"):
                await a.wait_closed()
            assert await supervisor.close("a")  # decides, and does not wait
            log.append("clean")

        b.push_async_callback(clean)
        with suppress(SessionClosed):
            async with attach("a"):
                await supervisor.close("b")
        await a.wait_closed()
        assert (clock.now, log) == (0, ["clean"])

    async def test_through_a_third(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A circle of three clean-ups is found too.
        """
        a, b, c = [await supervisor.open(id) for id in "abc"]

        async def clean_c() -> None:
            with pytest.raises(RuntimeError, match="would never return"):
                await a.wait_closed()
            log.append("c")

        b.push_async_callback(supervisor.close, "c")
        c.push_async_callback(clean_c)
        a.push_async_callback(supervisor.close, "b")
        await a.aclose()
        assert (clock.now, log) == (0, ["c"])

    @pytest.mark.parametrize("told_by", ["callback", "async callback", "task"])
    async def test_clean_up_of_a_session_that_was_only_told(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str], told_by: str
    ) -> None:
        """
        A clean-up may wait for the one that began it, if that one does not wait in turn.
        """
        a, b = await supervisor.open("a"), await supervisor.open("b")

        async def clean() -> None:
            await a.wait_closed()
            log.append("b")

        b.push_async_callback(clean)
        a.callback(log.append, "a")
        a.push_async_callback(asyncio.sleep, 1)

        async def tell() -> None:
            b.close_soon()

        if told_by == "callback":
            a.callback(b.close_soon)
        elif told_by == "async callback":
            a.push_async_callback(tell)
        else:
            a.start_soon(tell)
            await asyncio.sleep(0)
        await a.aclose()
        await b.wait_closed()
        assert (clock.now, log) == (1, ["a", "b"])

    async def test_outer_and_inner_block(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        The clean-up of an inner session may close the outer one, whose holder waits for it.
        """
        with suppress(SessionClosed):
            async with session("outer") as outer, session("inner") as inner:
                inner.push_async_callback(supervisor.close, "outer")
        assert (clock.now, outer.state, inner.state) == (0, "closed", "closed")
        assert cancelling() == 0
        await nothing_stray()

    async def test_two_ways_to_one_session(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        That several who are inside wait for one and the same session is no circle.
        """
        a, b = await supervisor.open("a"), await supervisor.open("b")
        b.push_async_callback(asyncio.sleep, 2)
        b.close_soon()

        async def hold() -> None:
            with suppress(SessionClosed):
                async with attach("a"):
                    await b.wait_closed()

        holding = [asyncio.create_task(hold()) for _ in range(2)]
        for _ in range(2):
            a.start_soon(b.wait_closed)
        await asyncio.sleep(0)
        assert await supervisor.close("a")
        await asyncio.gather(*holding)
        assert (clock.now, b.state) == (0, "closing")
        await b.wait_closed()

    async def test_task_of_another_session(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        A task of one session, started by a task of another, may wait for that other.
        """
        a, b = await supervisor.open("a"), await supervisor.open("b")

        async def wait() -> None:
            await a.wait_closed()
            log.append("waited")

        async def start() -> None:
            b.start_soon(wait)

        a.start_soon(start)
        await asyncio.sleep(1)
        await a.aclose()
        await asyncio.sleep(0)
        assert (clock.now, log) == (1, ["waited"])
