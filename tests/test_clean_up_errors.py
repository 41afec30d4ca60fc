"""
Steps that fail, and what contexts see of a session that did not complete.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import pytest

from sessionstate import CloseReason, SessionClosed, Supervisor, session
from sessionstate.testing import VirtualClock
from tests.bodies import LONG, noted, nothing_stray, soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.virtual_time


class TestErrors:
    async def test_each_step_runs_and_each_error_is_raised_once(
        self, supervisor: Supervisor, log: list[str]
    ) -> None:
        """
        Clean-up that raises stops nothing: all errors come out of the block as one group.
        """

        async def fail(error: Exception) -> None:
            raise error

        def fail_now(error: Exception) -> None:
            raise error

        @asynccontextmanager
        async def hosted() -> AsyncIterator[None]:
            yield
            raise ValueError("context")

        async def fail_at_the_end() -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(LONG)
            raise ValueError("task")

        told: list[str] = []

        @supervisor.on_close
        def hook(s: object, reason: CloseReason) -> None:
            raise ValueError("hook")

        @supervisor.on_close
        async def async_hook(s: object, reason: CloseReason) -> None:
            raise ValueError("async hook")

        @supervisor.on_error
        async def on_error(s: object, error: BaseException, where: str) -> None:
            told.append(str(error))

        with pytest.raises(ExceptionGroup) as caught:
            async with session("a") as s:
                s.callback(log.append, "first")
                s.push_async_callback(fail, ValueError("async"))
                await s.enter_async_context(hosted())
                s.callback(fail_now, ValueError("sync"))
                s.start_soon(fail_at_the_end)
                s.callback(log.append, "last")
                await asyncio.sleep(0)
        raised = [str(error) for error in caught.value.exceptions]
        assert raised == ["hook", "async hook", "task", "sync", "context", "async"]
        assert told == raised
        assert log == ["last", "first"]
        assert supervisor.statistics().clean_up_errors == 6

    @pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
    @pytest.mark.parametrize("kind", ["sync", "async", "context", "hook"])
    async def test_fatal_is_raised_when_all_is_done(
        self, supervisor: Supervisor, log: list[str], kind: str, fatal: type[BaseException]
    ) -> None:
        """
        After KeyboardInterrupt or SystemExit in a step the rest runs; then the block raises it.
        """

        def stop(*_: object) -> None:
            raise fatal

        async def stop_later(*_: object) -> None:
            await asyncio.sleep(1)
            raise fatal

        @asynccontextmanager
        async def hosted() -> AsyncIterator[None]:
            yield
            raise fatal

        if kind == "hook":
            supervisor.on_close(stop_later)
        with pytest.raises(fatal):
            async with session("a") as s:
                s.push_async_callback(noted, log, "rest")
                if kind == "sync":
                    s.callback(stop)
                elif kind == "async":
                    s.push_async_callback(stop_later)
                elif kind == "context":
                    await s.enter_async_context(hosted())
        assert log == ["rest begins", "rest"]
        assert s.state == "closed"

    @pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
    def test_fatal_that_nobody_waits_for(self, log: list[str], fatal: type[BaseException]) -> None:
        """
        KeyboardInterrupt from a clean-up that nobody waits for goes through the loop at the end.
        """

        async def main() -> None:
            async with Supervisor() as supervisor:
                s = await supervisor.open("a")

                async def stop() -> None:
                    raise fatal

                s.push_async_callback(noted, log, "rest")
                s.push_async_callback(stop)
                s.close_soon()
                try:
                    await asyncio.sleep(LONG)
                finally:
                    log.append(s.state)

        with pytest.raises(fatal):
            VirtualClock().run(main())
        assert log == ["rest begins", "rest", "closed"]

    @pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
    def test_fatal_in_an_owned_task(self, log: list[str], fatal: type[BaseException]) -> None:
        """
        KeyboardInterrupt in an owned task ends its session, goes through the loop, loses nothing.
        """

        async def main() -> None:
            async with Supervisor(), session("a") as s:
                s.push_async_callback(noted, log, "rest", 1)

                async def stop() -> None:
                    raise fatal

                s.start_soon(stop)
                await asyncio.sleep(LONG)

        with pytest.raises(fatal):
            VirtualClock().run(main())
        assert log == ["rest begins", "rest"]

    async def test_fatal_comes_out_of_close(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        The close() call that ended a session raises the SystemExit of its clean-up.
        """

        async def stop() -> None:
            raise SystemExit

        s = await supervisor.open("a")
        s.push_async_callback(noted, log, "rest", 1)
        s.push_async_callback(stop)
        with pytest.raises(SystemExit):
            await supervisor.close("a")
        assert (s.state, log) == ("closed", ["rest begins", "rest"])

    async def test_fatal_out_of_an_interrupted_block(self, supervisor: Supervisor) -> None:
        """
        A holder in whose exit a SystemExit comes up has its cancellation taken back all the same.
        """

        def stop() -> None:
            raise SystemExit

        soon(1, supervisor.close_soon, "a")
        with pytest.raises(SystemExit):
            async with session("a") as s:
                s.callback(stop)
                await asyncio.sleep(LONG)
        await nothing_stray()

    async def test_base_exception_of_another_kind(self, supervisor: Supervisor) -> None:
        """
        A step that raises CancelledError by itself is an error of the clean-up like any other.
        """

        def cut() -> None:
            raise asyncio.CancelledError

        with pytest.raises(ExceptionGroup) as caught:
            async with session("a") as s:
                s.callback(cut)
        assert caught.group_contains(RuntimeError, match="cut short")
        await nothing_stray()


class TestThrown:
    @staticmethod
    @asynccontextmanager
    async def transaction(seen: list[BaseException | None]) -> AsyncIterator[None]:
        """
        Note what is thrown in, and raise it again.
        """
        try:
            yield
        except BaseException as error:
            seen.append(error)
            raise
        seen.append(None)

    async def test_completed(self, supervisor: Supervisor) -> None:
        """
        A session that completed throws nothing into its contexts.
        """
        seen: list[BaseException | None] = []
        async with session("a") as s:
            await s.enter_async_context(self.transaction(seen))
        assert seen == [None]

    @pytest.mark.parametrize("error", [ValueError("body"), SystemExit(3)], ids=repr)
    @pytest.mark.parametrize("hosted", [True, False])
    async def test_failed(self, supervisor: Supervisor, error: BaseException, hosted: bool) -> None:
        """
        A failed session throws the body's error in, and to raise that again is no clean-up error.
        """

        class Rollback:
            def __enter__(self) -> None:
                pass

            def __exit__(self, *exc: object) -> None:
                raise error

            async def __aenter__(self) -> None:
                pass

            async def __aexit__(self, *exc: object) -> None:
                raise error

        with pytest.raises(type(error)) as caught:
            async with session("a") as s:
                if hosted:
                    await s.enter_async_context(Rollback())
                else:
                    s.enter_context(Rollback())
                raise error
        assert caught.value is error
        assert not hasattr(error, "__notes__")
        assert supervisor.statistics().clean_up_errors == 0

    @pytest.mark.parametrize("how", ["cancelled", "interrupted", "crashed"])
    async def test_session_closed(self, supervisor: Supervisor, how: str) -> None:
        """
        A session that was cancelled, interrupted or that crashed throws SessionClosed in.
        """
        seen: list[BaseException | None] = []

        async def hold() -> None:
            async with session("a") as s:
                await s.enter_async_context(self.transaction(seen))
                await s.enter_async_context(anyio.create_task_group())
                if how == "crashed":
                    s.start_soon(self.crash)
                await asyncio.sleep(LONG)

        task = asyncio.create_task(hold())
        await asyncio.sleep(0.5)
        if how == "cancelled":
            task.cancel()
        elif how == "interrupted":
            supervisor.close_soon("a")
        with pytest.raises((asyncio.CancelledError, SessionClosed)) as caught:
            await task
        (error,) = seen
        assert isinstance(error, SessionClosed)
        if how == "crashed":
            assert isinstance(error.__cause__, ZeroDivisionError)
            assert isinstance(caught.value.__cause__, ZeroDivisionError)
            assert error.reason is CloseReason.RESOURCE_FAILED
        assert supervisor.statistics().clean_up_errors == 0

    @staticmethod
    async def crash() -> None:
        """
        Be a task that fails.
        """
        await asyncio.sleep(0.1)
        raise ZeroDivisionError

    async def test_no_holder_was_interrupted(self, supervisor: Supervisor) -> None:
        """
        A session that is deleted while nobody is inside completes its contexts.
        """
        seen: list[BaseException | None] = []
        s = await supervisor.open("a")
        await s.enter_async_context(self.transaction(seen))
        await supervisor.close("a")
        assert seen == [None]

    @pytest.mark.parametrize("calls", ["close_soon", "nothing"])
    async def test_who_asks_was_not_interrupted(self, supervisor: Supervisor, calls: str) -> None:
        """
        A holder that asks for the end completed, as far as its transactions go.
        """
        seen: list[BaseException | None] = []
        async with session("a") as s:
            await s.enter_async_context(self.transaction(seen))
            if calls == "close_soon":
                s.close_soon()
                await asyncio.sleep(LONG)
        assert seen == [None]
