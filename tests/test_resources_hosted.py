from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from sessionstate import CloseReason, Session, SessionClosed, SessionState, Supervisor, session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sessionstate.testing import VirtualClock


class Context:
    """
    A context that notes what happens to it, and takes a second to enter and to leave.
    """

    def __init__(self, log: list[Any], seconds: float = 1, error: str = "") -> None:
        self.log = log
        self.seconds = seconds
        self.error = error

    async def __aenter__(self) -> str:
        self.task = asyncio.current_task()
        await asyncio.sleep(self.seconds)
        self.log.append("entered")
        return "value"

    async def __aexit__(self, cls: object, error: BaseException | None, tb: object) -> None:
        assert asyncio.current_task() is self.task
        self.log.append(error)
        await asyncio.sleep(self.seconds)
        self.log.append("left")
        if self.error:
            raise ValueError(self.error)


async def forever() -> None:
    """
    Wait until cancelled.
    """
    await asyncio.Event().wait()


@pytest.fixture
def log() -> list[Any]:
    """
    Give a list of what happened.
    """
    return []


class TestHostedContext:
    async def test_one_task_from_enter_to_exit(self, s: Session, log: list[Any]) -> None:
        """
        Whoever ends the session, a context is left by the task that entered it.
        """
        assert await s.enter_async_context(Context(log)) == "value"
        assert "1 resource" in repr(s)
        await asyncio.create_task(s.aclose())
        assert log == ["entered", None, "left"]

    @pytest.mark.parametrize("kind", ["anyio", "asyncio"])
    async def test_task_group_inside(
        self, supervisor: Supervisor, log: list[Any], kind: str
    ) -> None:
        """
        A task group inside is left in order, and hands back what was thrown: no clean-up error.
        """

        @asynccontextmanager
        async def context() -> AsyncIterator[None]:
            if kind == "anyio":
                async with anyio.create_task_group() as group:
                    group.start_soon(forever)
                    try:
                        yield
                    finally:
                        log.append("left")
                        group.cancel_scope.cancel()
            else:
                async with asyncio.TaskGroup() as other:
                    task = other.create_task(forever())
                    try:
                        yield
                    finally:
                        log.append("left")
                        task.cancel()

        async with session("a") as s:
            await s.enter_async_context(context())
        with pytest.raises(ValueError, match="body"):
            async with session("b") as s:
                await s.enter_async_context(context())
                raise ValueError("body")
        assert log == ["left", "left"]
        assert supervisor.statistics().clean_up_errors == 0

    @pytest.mark.parametrize("held", [False, True])
    async def test_crash_inside_ends_only_the_session(
        self, supervisor: Supervisor, held: bool, clock: VirtualClock
    ) -> None:
        """
        A crash in a task group inside ends the session as `resource_failed`, and no bystander.
        """

        async def crash() -> None:
            await asyncio.sleep(1)
            raise ValueError("crash")

        @asynccontextmanager
        async def context() -> AsyncIterator[None]:
            async with asyncio.TaskGroup() as group:
                group.create_task(crash())
                yield

        if held:
            with pytest.raises(SessionClosed) as caught:
                async with session("a") as s:
                    await s.enter_async_context(context())
                    await forever()
            cause = caught.value.__cause__
            assert isinstance(cause, ExceptionGroup)
            assert cause.subgroup(ValueError)
        else:
            s = await supervisor.open("a")
            await s.enter_async_context(context())
            await clock.advance(1)
        assert s.close_reason is CloseReason.RESOURCE_FAILED
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    @pytest.mark.virtual_time
    async def test_cancelled_from_outside(self, s: Session, log: list[Any]) -> None:
        """
        A context whose own task somebody cancels is left with that, and ends its session.
        """
        context = Context(log)
        await s.enter_async_context(context)
        assert context.task is not None
        context.task.cancel()
        assert await s.wait_closed() is CloseReason.RESOURCE_FAILED
        assert [str(each) or type(each) for each in log] == [
            "entered",
            asyncio.CancelledError,
            "left",
        ]

    async def test_cancelled_from_outside_as_it_is_left(
        self, s: Session, log: list[Any], clock: VirtualClock
    ) -> None:
        """
        A context that is cancelled just as it is to be left is left once, and completes.
        """
        context = Context(log)
        await s.enter_async_context(context)
        s.close_soon()
        assert context.task is not None
        context.task.cancel()
        assert await s.wait_closed() is CloseReason.COMPLETED
        assert log == ["entered", None, "left"]

    async def test_entering_cancelled_from_outside(
        self, s: Session, log: list[Any], clock: VirtualClock
    ) -> None:
        """
        Who enters a context whose own task somebody cancels gets an error, and no cancellation.
        """
        context = Context(log)
        entering = asyncio.create_task(s.enter_async_context(context))
        await clock.advance(0.5)
        assert context.task is not None
        context.task.cancel()
        with pytest.raises(RuntimeError, match="was cancelled"):
            await entering
        assert (s.state, log) == (SessionState.IDLE, [])

    async def test_caller_cancelled_while_entering(
        self, s: Session, log: list[Any], clock: VirtualClock
    ) -> None:
        """
        When its caller is cancelled while entering, the entering is cancelled, and ends nothing.
        """
        entering = asyncio.create_task(s.enter_async_context(Context(log)))
        await clock.advance(0.5)
        entering.cancel()
        await clock.advance(5)
        assert entering.cancelled()
        assert (s.state, log) == (SessionState.IDLE, [])
        assert "resource" not in repr(s)

    @pytest.mark.virtual_time
    async def test_caller_cancelled_as_the_entering_fails(
        self, s: Session, clock: VirtualClock, loop_errors: list[Any]
    ) -> None:
        """
        A failed entry that meets its caller's cancellation is reported nowhere, and ends nothing.
        """

        class Failing(Context):
            async def __aenter__(self) -> str:
                await asyncio.sleep(1)
                asyncio.get_running_loop().call_soon(
                    asyncio.get_running_loop().call_soon, entering.cancel
                )
                raise ValueError("enter")

        entering = asyncio.create_task(s.enter_async_context(Failing([])))
        await clock.advance(2)
        assert entering.done()
        assert (s.state, loop_errors) == (SessionState.IDLE, [])
        assert "resource" not in repr(s)

    @pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
    async def test_fatal_error_in_leaving(
        self, supervisor: Supervisor, log: list[Any], fatal: type[BaseException]
    ) -> None:
        """
        KeyboardInterrupt in a context that is left is raised by who ended the session, at its end.
        """

        class Interrupting(Context):
            async def __aexit__(self, cls: object, error: object, tb: object) -> None:
                raise fatal

        s = await supervisor.open("a")
        s.callback(log.append, "callback")
        await s.enter_async_context(Interrupting(log))
        with pytest.raises(fatal):
            await s.aclose()
        assert (log, s.state) == (["entered", "callback"], SessionState.CLOSED)

    @pytest.mark.parametrize("error", ["", "late"])
    @pytest.mark.parametrize("stubborn", [False, True], ids=["tick", "stubborn"])
    async def test_entered_nevertheless(
        self, supervisor: Supervisor, s: Session, log: list[Any], error: str, stubborn: bool
    ) -> None:
        """
        What was entered although its caller was cancelled is left; an error of that is reported.
        """
        told: list[str] = []
        supervisor.on_error(lambda s, error, where: told.append(repr(error)))

        class Entered(Context):
            async def __aenter__(self) -> str:
                self.task = asyncio.current_task()
                if stubborn:
                    caller.cancel()
                    try:
                        await forever()
                    except asyncio.CancelledError:
                        await asyncio.sleep(0)
                else:
                    asyncio.get_running_loop().call_soon(caller.cancel)
                return "value"

        caller = asyncio.create_task(s.enter_async_context(Entered(log, error=error)))
        await asyncio.wait([caller])
        assert caller.cancelled()
        await asyncio.sleep(2)
        assert log == [None, "left"]
        assert told == ([f"ValueError({error!r})"] if error else [])
        assert s.state is SessionState.IDLE
        assert "resource" not in repr(s)

    @pytest.mark.virtual_time
    async def test_report_without_hooks_is_logged(
        self, s: Session, log: list[Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        With no hook to tell, such an error is logged.
        """

        class Entered(Context):
            async def __aenter__(self) -> str:
                self.task = asyncio.current_task()
                asyncio.get_running_loop().call_soon(caller.cancel)
                return "value"

        caller = asyncio.create_task(s.enter_async_context(Entered(log, error="late")))
        await asyncio.wait([caller])
        await asyncio.sleep(2)
        assert "of session 'a' failed" in caplog.text

    @pytest.mark.parametrize("when", [0, 0.5, 1], ids=["before", "within", "after"])
    @pytest.mark.parametrize("held", [False, True])
    async def test_end_while_entering(
        self,
        supervisor: Supervisor,
        log: list[Any],
        clock: VirtualClock,
        when: float,
        held: bool,
    ) -> None:
        """
        An end while entering gives the caller SessionClosed, and is no clean-up error.
        """

        async def body() -> None:
            if held:
                async with session("a") as s:
                    await s.enter_async_context(Context(log))
                    await forever()
            else:
                s = await supervisor.open("a")
                await s.enter_async_context(Context(log))
                await s.wait_closed()

        task = asyncio.create_task(body())
        if when:
            await clock.advance(when)
        else:
            await asyncio.sleep(0)
        assert await supervisor.close("a") is True
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        if held or when < 1:
            assert isinstance(outcome, SessionClosed)
            assert outcome.reason is CloseReason.DELETED
        assert log.count("entered") == log.count("left")
        assert supervisor.statistics().clean_up_errors == 0

    async def test_end_cancels_the_entering(
        self, s: Session, log: list[Any], clock: VirtualClock
    ) -> None:
        """
        An end does not wait for what is being entered.
        """
        entering = asyncio.create_task(s.enter_async_context(Context(log)))
        await clock.advance(0.5)
        await s.aclose()
        assert (clock.now, log) == (0.5, [])
        with pytest.raises(SessionClosed):
            await entering

    async def test_end_while_leaving_early(
        self, supervisor: Supervisor, s: Session, log: list[Any], clock: VirtualClock
    ) -> None:
        """
        A context that is being left as its caller was cancelled is waited for, and left once.
        """

        class Entered(Context):
            async def __aenter__(self) -> str:
                self.task = asyncio.current_task()
                asyncio.get_running_loop().call_soon(caller.cancel)
                return "value"

        caller = asyncio.create_task(s.enter_async_context(Entered(log)))
        await clock.advance(0.5)
        assert log == [None]
        await s.aclose()
        assert log == [None, "left"]

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: 5, "it has no __aenter__"),
            (ExitStack, "use enter_context"),
            (lambda: asyncio.timeout(5), "cannot own Timeout"),
            (anyio.CancelScope, "cannot own CancelScope"),
        ],
    )
    async def test_mistakes(self, s: Session, make: Callable[[], Any], message: str) -> None:
        """
        A context that acts on its caller's task belongs in the body; others have to be async.
        """
        with pytest.raises(TypeError, match=message):
            await s.enter_async_context(make())

    async def test_refused_after_the_end(self, s: Session) -> None:
        """
        A closed session enters nothing.
        """
        await s.aclose()
        with pytest.raises(SessionClosed):
            await s.enter_async_context(AsyncExitStack())
