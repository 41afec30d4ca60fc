"""
Who waits for the end of a session, through what, and who would wait for ever.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from sessionstate import CloseReason, SessionClosed, Supervisor, attach, session
from tests.bodies import LONG, cancelling, noted, nothing_stray, soon

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.virtual_time import Clock

    Ask = Callable[[Supervisor], Awaitable[object]]

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def log() -> list[str]:
    """
    Give a list for what happens, in order.
    """
    return []


class TestOwnersWait:
    @pytest.mark.parametrize("times", [1, 2, 3])
    @pytest.mark.parametrize("when", ["body", "clean-up"])
    async def test_native_cancellations(
        self, supervisor: Supervisor, clock: Clock, log: list[str], times: int, when: str
    ) -> None:
        """
        However often its task is cancelled, an owner waits for the whole clean-up, then is cancelled.
        """

        async def own() -> None:
            async with session("a") as s:
                s.push_async_callback(noted, log, "one", 1)
                s.push_async_callback(noted, log, "two", 1.5)
                if when == "body":
                    await asyncio.sleep(LONG)

        task = asyncio.create_task(own())
        for _ in range(times):
            await asyncio.sleep(0.5)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == ["two begins", "two", "one begins", "one"]
        assert task.cancelling() == times
        assert clock.now == (3 if when == "body" else 2.5)

    @pytest.mark.parametrize("native", [True, False])
    async def test_timeout_around(
        self, supervisor: Supervisor, clock: Clock, log: list[str], native: bool
    ) -> None:
        """
        A time-out around the block strikes when the clean-up is over, and leaves nothing stray.
        """
        scope: Any = asyncio.timeout(1) if native else None
        with pytest.raises(TimeoutError):
            if native:
                async with scope, session("a") as s:
                    s.push_async_callback(noted, log, "clean", 2)
            else:
                with anyio.fail_after(1):
                    async with session("a") as s:
                        s.push_async_callback(noted, log, "clean", 2)
        assert (clock.now, log) == (2, ["clean begins", "clean"])
        assert s.close_reason is CloseReason.COMPLETED
        await nothing_stray()

    async def test_level_and_native_together(
        self, supervisor: Supervisor, clock: Clock, log: list[str]
    ) -> None:
        """
        A cancelled anyio scope and native cancellations at once neither cut the wait nor make it spin.
        """

        async def own() -> None:
            with anyio.CancelScope() as scope:
                soon(0.5, scope.cancel)
                async with session("a") as s:
                    s.push_async_callback(noted, log, "clean", 3)
            log.append("behind the scope")
            await asyncio.sleep(0)

        task = asyncio.create_task(own())
        for _ in range(2):
            await asyncio.sleep(1)
            task.cancel()
        steps = asyncio.get_running_loop().steps  # type: ignore[attr-defined]
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.get_running_loop().steps - steps < 50  # type: ignore[attr-defined]
        assert (clock.now, log[:2]) == (3, ["clean begins", "clean"])
        assert task.cancelling() == 2

    async def test_group_around(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        A failing sibling in a task group cancels the owner, whose clean-up completes first.
        """

        async def own() -> None:
            async with session("a") as s:
                s.push_async_callback(noted, log, "clean", 2)
                await asyncio.sleep(LONG)

        async def fail() -> None:
            await asyncio.sleep(1)
            raise ZeroDivisionError

        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(own())
                group.create_task(fail())
        assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
        assert log == ["clean begins", "clean"]

    async def test_body_error_becomes_the_context(self, supervisor: Supervisor) -> None:
        """
        A cancellation while cleaning up comes out with the body's error as its context.
        """

        async def own() -> None:
            async with session("a") as s:
                s.push_async_callback(asyncio.sleep, 1)
                raise ZeroDivisionError

        task = asyncio.create_task(own())
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        error: BaseException | None = caught.value
        seen = []
        while error is not None:
            seen.append(type(error))
            error = error.__context__
        assert seen[-1] is ZeroDivisionError

    async def test_errors_of_a_cancelled_owner_are_logged(
        self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        When the owner is cancelled while cleaning up, the errors of the clean-up are logged.
        """

        async def fail() -> None:
            await asyncio.sleep(1)
            raise ZeroDivisionError

        async def own() -> None:
            async with session("a") as s:
                s.push_async_callback(fail)

        task = asyncio.create_task(own())
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert "ZeroDivisionError" in caplog.text

    async def test_visitors_do_not_wait(self, supervisor: Supervisor, clock: Clock) -> None:
        """
        A visitor of a session that ends leaves at once.
        """
        soon(1, supervisor.close_soon, "a")
        with pytest.raises(SessionClosed):
            async with attach("a") as s:
                s.push_async_callback(asyncio.sleep, 2)
                await asyncio.sleep(LONG)
        assert (clock.now, s.state) == (1, "closing")
        assert await s.wait_closed() is CloseReason.DELETED
        assert clock.now == 3

    async def test_left_by_a_task_that_is_cancelled(self, supervisor: Supervisor) -> None:
        """
        The task that leaves a block is the one whose cancellation counts, not the one that entered.
        """
        block = session("a")
        s = await asyncio.create_task(block.__aenter__())
        s.push_async_callback(asyncio.sleep, 2)
        leaving = asyncio.create_task(block.__aexit__(None, None, None))
        await asyncio.sleep(1)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert s.state == "closed"


class TestPlainWaits:
    @pytest.mark.parametrize("how", ["close", "aclose", "wait_closed", "close again", "lookup"])
    async def test_cancelling_stops_the_waiting_only(
        self, supervisor: Supervisor, clock: Clock, log: list[str], how: str
    ) -> None:
        """
        Cancelling a wait for the end stops the waiting, at once, and not the clean-up.
        """
        s = await supervisor.open("a")
        s.push_async_callback(noted, log, "clean", 2)
        if how not in {"close", "aclose"}:
            s.close_soon()
        calls: dict[str, Callable[[], Any]] = {
            "close": lambda: supervisor.close("a"),
            "aclose": s.aclose,
            "wait_closed": s.wait_closed,
            "close again": lambda: supervisor.close("a"),
            "lookup": lambda: supervisor.lookup("a"),
        }
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await calls[how]()
        assert (clock.now, s.state) == (1, "closing")
        await s.wait_closed()
        assert (clock.now, log) == (2, ["clean begins", "clean"])
        await nothing_stray()

    async def test_errors_of_a_cancelled_close_are_logged(
        self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        The errors of a clean-up whose close() call was cancelled are logged, as nobody raises them.
        """

        async def fail() -> None:
            await asyncio.sleep(2)
            raise ZeroDivisionError

        s = await supervisor.open("a")
        s.push_async_callback(fail)
        with suppress(TimeoutError):
            await asyncio.wait_for(supervisor.close("a"), 1)
        assert "ZeroDivisionError" not in caplog.text
        await s.wait_closed()
        assert "ZeroDivisionError" in caplog.text

    async def test_answers(self, supervisor: Supervisor, clock: Clock) -> None:
        """
        Whoever decides the end is told True; who comes later waits for it, and is told False.
        """
        s = await supervisor.open("a")
        s.push_async_callback(asyncio.sleep, 2)
        answers = await asyncio.gather(supervisor.close("a"), supervisor.close("a"), s.aclose())
        assert answers == [True, False, False]
        assert clock.now == 2
        assert not await s.aclose()
        assert not await supervisor.close("a")
        assert await s.wait_closed() is CloseReason.DELETED
        assert clock.now == 2


ASKS: dict[str, Ask] = {
    "close": lambda supervisor: supervisor.close("a"),
    "lookup": lambda supervisor: supervisor.lookup("a"),
    "open": lambda supervisor: supervisor.open("a"),
    "session": lambda supervisor: supervisor.session("a").__aenter__(),
    "attach": lambda supervisor: supervisor.attach("a").__aenter__(),
}
RAISES = {"lookup", "open", "session", "attach", "wait_closed"}


class TestNobodyDeadlocks:
    @pytest.mark.parametrize("how", [*ASKS, "aclose", "wait_closed"])
    @pytest.mark.parametrize("where", ["callback", "hook", "task", "context", "body"])
    async def test_from_inside(
        self, supervisor: Supervisor, clock: Clock, log: list[str], where: str, how: str
    ) -> None:
        """
        From its own clean-up, task or body, closing does not wait, and what would wait for ever raises.
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
        self, supervisor: Supervisor, clock: Clock, log: list[str]
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
        self, supervisor: Supervisor, clock: Clock, log: list[str]
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
        self, supervisor: Supervisor, clock: Clock, log: list[str]
    ) -> None:
        """
        A circle of three sessions, through owned tasks and clean-ups, is found too.
        """
        a, b, c = [await supervisor.open(id) for id in "abc"]

        async def clean_c() -> None:
            with pytest.raises(RuntimeError, match="would never return"):
                await a.wait_closed()
            log.append("c")

        b.push_async_callback(supervisor.close, "c")
        c.push_async_callback(clean_c)
        a.start_soon(supervisor.close, "b")
        await asyncio.sleep(0)
        await a.aclose()
        await asyncio.gather(b.wait_closed(), c.wait_closed())
        assert (clock.now, log) == (0, ["c"])

    @pytest.mark.parametrize("told_by", ["callback", "async callback", "task"])
    async def test_clean_up_of_a_session_that_was_only_told(
        self, supervisor: Supervisor, clock: Clock, log: list[str], told_by: str
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

    async def test_outer_and_inner_block(self, supervisor: Supervisor, clock: Clock) -> None:
        """
        The clean-up of an inner session may close the outer one, whose holder waits for it.
        """
        with suppress(SessionClosed):
            async with session("outer") as outer, session("inner") as inner:
                inner.push_async_callback(supervisor.close, "outer")
        assert (clock.now, outer.state, inner.state) == (0, "closed", "closed")
        assert cancelling() == 0
        await nothing_stray()
