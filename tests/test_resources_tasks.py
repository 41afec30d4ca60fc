from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from sessionstate import CloseReason, Session, SessionClosed, SessionState, Supervisor, session
from sessionstate.testing import VirtualClock
from tests.test_resources_hosted import Context

if TYPE_CHECKING:
    from tests.conftest import StartSupervisor


async def noop() -> None:
    """
    Return at once.
    """


async def forever() -> None:
    """
    Wait until cancelled.
    """
    await asyncio.Event().wait()


class TestTasks:
    async def test_ends_with_its_session(self, s: Session, log: list[str]) -> None:
        """
        Owned tasks are ended together and first, before the other steps.
        """

        async def work(name: str) -> None:
            try:
                await forever()
            finally:
                await asyncio.sleep(0)
                log.append(name)

        s.callback(log.append, "callback")
        for name in "xy":
            s.start_soon(work, name, name=f"named {name}")
        await asyncio.sleep(0)
        assert {"named x", "named y"} <= {each.get_name() for each in asyncio.all_tasks()}
        await s.aclose()
        assert log == ["x", "y", "callback"]

    async def test_finished_tasks_remove_themselves(self, s: Session, clock: VirtualClock) -> None:
        """
        A task that returned or was cancelled by its handle ends nothing, and nothing is left of it.
        """
        done, cancelled = s.start_soon(noop), s.start_soon(forever)
        assert "running" in repr(cancelled)
        assert cancelled.cancel() is True
        await clock.settle()
        assert (done.cancel(), cancelled.cancel()) == (False, False)
        assert "done" in repr(done)
        assert "resource" not in repr(s)
        assert s.state is SessionState.IDLE

    async def test_crash_ends_the_session(self, s: Session) -> None:
        """
        A crash ends the session as `resource_failed`, and is its `exception` until it is closed.
        """
        crash = ValueError("crash")
        seen: list[object] = []

        async def crashing() -> None:
            raise crash

        s.callback(lambda: seen.append(s.exception))
        s.start_soon(crashing)
        assert await s.wait_closed() is CloseReason.RESOURCE_FAILED
        assert seen == [crash]
        assert s.exception is None

    async def test_crash_reaches_the_holder(self, supervisor: Supervisor) -> None:
        """
        The holder of a session that crashed gets SessionClosed with the crash as its cause.
        """

        async def crashing() -> None:
            raise ValueError("crash")

        with pytest.raises(SessionClosed) as caught:
            async with session("a") as s:
                s.start_soon(crashing)
                await forever()
        assert repr(caught.value.__cause__) == "ValueError('crash')"

    async def test_error_while_ending(self, s: Session) -> None:
        """
        A task that fails as its session ends is a clean-up error; SessionClosed of it is none.
        """

        async def fails(error: BaseException) -> None:
            try:
                await forever()
            finally:
                raise error

        s.start_soon(fails, ValueError("late"))
        s.start_soon(fails, SessionClosed(s, CloseReason.COMPLETED))
        await asyncio.sleep(0)
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert [repr(each) for each in caught.value.exceptions] == ["ValueError('late')"]

    async def test_function_that_ends_the_session(self, s: Session, clock: VirtualClock) -> None:
        """
        A task whose function ends the session as it is called is not started: SessionClosed.
        """

        def function() -> Any:
            s.close_soon()
            return forever()

        with pytest.raises(SessionClosed):
            s.start_soon(cast("Any", function))
        assert s.state is SessionState.CLOSED


class TestStart:
    async def test_gives_the_value(self, s: Session, clock: VirtualClock) -> None:
        """
        Start waits for `task_status.started(value)`, and the task goes on.
        """

        async def serve(port: int, *, task_status: Any) -> None:
            await asyncio.sleep(1)
            task_status.started(port + 1)
            await forever()

        assert await s.start(serve, 80) == 81
        assert clock.now == 1
        assert "1 resource" in repr(s)

    @pytest.mark.parametrize("ends", ["returns", "raises", "cancelled"])
    async def test_end_before_started(self, s: Session, ends: str) -> None:
        """
        A task that ends before it has started is its caller's error, and ends nothing.
        """

        async def serve(*, task_status: object) -> None:
            task = asyncio.current_task()
            assert task is not None
            if ends == "raises":
                raise ValueError("no")
            if ends == "cancelled":
                task.cancel()
                await forever()

        expected: dict[str, tuple[type[Exception], str]] = {
            "returns": (RuntimeError, r"without calling task_status.started\(\)"),
            "raises": (ValueError, "no"),
            "cancelled": (RuntimeError, "was cancelled"),
        }
        error, message = expected[ends]
        with pytest.raises(error, match=message):
            await s.start(serve)
        assert s.state is SessionState.IDLE
        assert "resource" not in repr(s)

    async def test_started_twice(self, s: Session) -> None:
        """
        Calling started twice is a RuntimeError in the task, which ends the session.
        """

        async def serve(*, task_status: Any) -> None:
            task_status.started()
            await asyncio.sleep(1)
            task_status.started()

        await s.start(serve)
        assert await s.wait_closed() is CloseReason.RESOURCE_FAILED

    @pytest.mark.parametrize("late", [False, True])
    async def test_caller_cancelled(
        self, s: Session, clock: VirtualClock, loop_errors: list[Any], late: bool
    ) -> None:
        """
        A cancelled caller cancels the task; what that one says then is heard by nobody.
        """
        ended: list[str] = []

        async def serve(*, task_status: Any) -> None:
            try:
                await forever()
            except asyncio.CancelledError:
                if late:
                    task_status.started()
                ended.append("cancelled")

        task = asyncio.create_task(s.start(serve))
        await clock.settle()
        task.cancel()
        await clock.settle()
        assert (task.cancelled(), ended, s.state) == (True, ["cancelled"], SessionState.IDLE)

    async def test_session_ends_before_started(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        The caller gets SessionClosed when the session ends first, were the task to hang.
        """
        supervisor = await start_supervisor(close_timeout=1)
        release = asyncio.Event()

        async def serve(*, task_status: object) -> None:
            await forever()

        async def stubborn(*, task_status: object) -> None:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    pass

        s = await supervisor.open("a")
        tasks = [asyncio.create_task(s.start(each)) for each in (serve, stubborn)]
        await clock.settle()
        with pytest.raises(ExceptionGroup, match="errors in the clean-up"):
            await s.aclose()
        outcome = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in outcome] == [SessionClosed] * 2
        release.set()

    async def test_cancelled_by_itself_at_once(self, s: Session, clock: VirtualClock) -> None:
        """
        A task may give itself up through its task_status, in its first step too.
        """

        async def serve(*, task_status: Any) -> None:
            task_status.cancel()
            await forever()

        with pytest.raises(RuntimeError, match="was cancelled"):
            await s.start(serve)
        assert clock.now == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_fatal_error_in_an_owned_task(error: type[BaseException]) -> None:
    """
    KeyboardInterrupt in an owned task ends the program as it should, and no clean-up is lost.
    """
    log: list[Any] = []

    async def fatal() -> None:
        raise error

    async def pushed() -> None:
        await asyncio.sleep(1)
        log.append("pushed")

    async def main() -> None:
        async with Supervisor(), session("a") as s:
            await s.enter_async_context(Context(log))
            s.push_async_callback(pushed)
            s.callback(log.append, "callback")
            s.start_soon(fatal)
            await forever()

    with pytest.raises(error):
        VirtualClock().run(main())
    assert sorted(each for each in log if isinstance(each, str)) == [
        *("callback", "entered", "left", "pushed")
    ]


async def test_eager_task_that_ends_its_session(
    supervisor: Supervisor, s: Session, clock: VirtualClock
) -> None:
    """
    A task that ends its session in its first step is cancelled at once, though it began eagerly.
    """
    factory = getattr(asyncio, "eager_task_factory", None)
    if factory is not None:
        asyncio.get_running_loop().set_task_factory(factory)

    async def ends() -> None:
        s.close_soon()
        await forever()

    s.start_soon(ends)
    await s.wait_closed()
    assert clock.now == 0
