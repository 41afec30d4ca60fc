import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from sessionstate import CloseReason, Session, SessionClosed, SessionState, Supervisor
from sessionstate._teardown import UNDER_WAY
from sessionstate.testing import VirtualClock


class TestIdentity:
    @pytest.mark.parametrize("owns", [True, False])
    async def test_removal_compares_identity(self, supervisor: Supervisor, owns: bool) -> None:
        """
        The end of a session removes that session, and not another that has its id.
        """
        old = await supervisor.open("a")
        if owns:
            old.push_async_callback(asyncio.sleep, 1)
        other = await supervisor.open("b")
        supervisor._live["a"] = other
        assert old.close_soon()
        assert supervisor.get("a") is other
        del supervisor._live["a"]
        if owns:
            supervisor._closing["a"] = other
            await old.wait_closed()
            assert supervisor._closing.pop("a") is other


class TestHooks:
    async def test_hook_that_the_clean_up_left_behind(self, start_supervisor: type) -> None:
        """
        A hook that outlives the end of its session and then fails is still told that it ended.
        """
        supervisor: Supervisor = await start_supervisor(close_timeout=2)

        @supervisor.on_open
        async def deaf(session: Session) -> None:
            for _ in range(3):
                try:
                    await asyncio.sleep(5)
                except asyncio.CancelledError:
                    pass
            raise ValueError

        opening = asyncio.create_task(supervisor.open("a"))
        await asyncio.sleep(1)
        supervisor.close_soon("a")
        with pytest.raises((ValueError, SessionClosed)):
            await opening
        assert supervisor.statistics().stuck == 1
        assert not supervisor._closing


class TestReport:
    def test_exit_from_an_error_hook_outside_of_an_end(self) -> None:
        """
        SystemExit from an on_error hook comes out, also where no session is ending.
        """

        @asynccontextmanager
        async def slow() -> AsyncIterator[None]:
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                pass
            yield
            raise ValueError

        async def main() -> None:
            async with Supervisor() as supervisor:

                @supervisor.on_error
                def stop(session: Session, error: BaseException, where: str) -> None:
                    raise SystemExit(3)

                session = await supervisor.open("a")
                entering = asyncio.create_task(session.enter_async_context(slow()))
                await asyncio.sleep(1)
                entering.cancel()
                await asyncio.sleep(1)

        with pytest.raises(SystemExit, match="3"):
            VirtualClock().run(main())


class TestLog:
    async def test_cancelled_owner(
        self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Errors in the clean-up of a cancelled session are logged: nobody looks at a cancellation.
        """

        def fail() -> None:
            raise ValueError

        async def hold() -> None:
            async with supervisor.session("a") as session:
                session.callback(fail)
                await asyncio.sleep(100)

        task = asyncio.create_task(hold())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [record.name for record in caplog.records] == ["sessionstate"]


class TestStranded:
    async def test_supervisor_is_left_all_the_same(
        self, clock: VirtualClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        A session whose clean-up broke off half-way does not keep its supervisor from being left.
        """
        async with Supervisor(shutdown_timeout=3) as supervisor:
            session = await supervisor.open("a")
            session.close_soon()
            session._ending = UNDER_WAY[CloseReason.COMPLETED]  # as after a RecursionError
            supervisor._closing["a"] = session
        assert clock.now == 3
        assert session.state is SessionState.CLOSED
        assert not supervisor._closing
        assert "'a'" in caplog.text


class TestAbandoned:
    async def test_what_is_abandoned_is_kept(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A step that was abandoned is held until it ends, so that it is not collected as it runs.
        """
        steps: list[weakref.ref[asyncio.Task[Any]]] = []
        waits: list[weakref.ref[asyncio.Future[None]]] = []

        async def stubborn() -> None:
            task = asyncio.current_task()
            assert task is not None
            steps.append(weakref.ref(task))
            del task
            for _ in range(2):
                wait = asyncio.get_running_loop().create_future()
                waits.append(weakref.ref(wait))
                with suppress(asyncio.CancelledError):
                    await wait
                del wait

        s = await supervisor.open("a")
        s.push_async_callback(stubborn)
        with pytest.raises(ExceptionGroup):
            await s.aclose()
        assert clock.now == 5
        gc.collect()
        assert steps[0]() is not None
        wait = waits[-1]()
        assert wait is not None
        wait.set_result(None)
        del wait
        await clock.settle()
        gc.collect()
        assert steps[0]() is None
