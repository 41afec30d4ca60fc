from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from sessionstate import CloseReason, Session, SessionClosed, SessionState, Supervisor
from tests.test_loading import Source, ask, forever

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor


@pytest.fixture
def source() -> Source:
    """
    Give a source.
    """
    return Source()


class TestEnd:
    async def test_waiters_get_session_closed(
        self, supervisor: Supervisor, s: Session, source: Source, clock: VirtualClock
    ) -> None:
        """
        The session's end cancels the load and gives waiters SessionClosed.
        """
        task = ask(s, source)
        await clock.advance(0.5)
        await s.aclose(CloseReason.DELETED)
        with pytest.raises(SessionClosed) as caught:
            await task
        assert (caught.value.session, caught.value.reason) == (s, CloseReason.DELETED)
        assert (source.begun, source.cancelled) == (1, 1)
        assert supervisor.statistics().clean_up_errors == 0

    async def test_nothing_is_loaded_while_closing(self, s: Session, source: Source) -> None:
        """
        While CLOSING nothing is loaded any more, were the value there already.
        """
        await s.get_or_create("key", source)
        seen: list[type] = []

        async def clean_up() -> None:
            for key in ("key", "other"):
                try:
                    await s.get_or_create(key, source)
                except SessionClosed as error:
                    seen.append(type(error))

        s.push_async_callback(clean_up)
        await s.aclose()
        assert seen == [SessionClosed] * 2

    async def test_load_that_does_not_end(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Waiters of a load that the clean-up had to abandon are told, and do not wait for ever.
        """
        supervisor = await start_supervisor(close_timeout=1)
        s = await supervisor.open("a")
        release = asyncio.Event()

        async def stubborn() -> int:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    pass
            return 1

        task = ask(s, stubborn)
        await clock.settle()
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert [type(each) for each in caught.value.exceptions] == [TimeoutError]
        await clock.settle()
        assert task.done()
        assert isinstance(task.exception(), SessionClosed)
        release.set()
        await clock.settle()

    async def test_load_that_returns_all_the_same(self, s: Session, clock: VirtualClock) -> None:
        """
        A load that swallows its cancellation leaves neither its waiters nor the session hanging.
        """

        async def stubborn() -> int:
            try:
                await forever()
            except asyncio.CancelledError:
                pass
            return 1

        task = ask(s, stubborn)
        await clock.settle()
        await s.aclose()
        assert (await asyncio.gather(task, return_exceptions=True)) != []
        assert s.state is SessionState.CLOSED


class TestOwnKey:
    async def test_directly(self, s: Session) -> None:
        """
        A load that asks for its own key is a RuntimeError, not a deadlock.
        """

        async def factory() -> object:
            return await s.get_or_create("key", factory)

        with pytest.raises(RuntimeError, match="would wait for itself"):
            await s.get_or_create("key", factory)
        assert s.state is SessionState.IDLE

    async def test_through_others(self, supervisor: Supervisor, s: Session) -> None:
        """
        So is one that asks for it through other loads, of other sessions too.
        """
        other = await supervisor.open("b")

        async def one() -> object:
            return await other.get_or_create("two", two)

        async def two() -> object:
            async with asyncio.TaskGroup() as group:
                three_ = group.create_task(s.get_or_create("three", three))
                again = group.create_task(s.get_or_create("three", three))
            return three_, again

        async def three() -> object:
            await asyncio.sleep(1)
            return await s.get_or_create("one", one)

        with pytest.raises(ExceptionGroup) as caught:
            await s.get_or_create("one", one)
        assert caught.group_contains(RuntimeError, match="would wait for itself")

    async def test_other_keys(self, s: Session, source: Source) -> None:
        """
        A load may ask for other keys, also for one under way.
        """

        async def outer() -> str:
            return "outer " + await s.get_or_create("key", source)

        async def outermost() -> list[str]:
            return await asyncio.gather(
                s.get_or_create("outer", outer), s.get_or_create("outer", outer)
            )

        first = ask(s, source)
        assert await s.get_or_create("outermost", outermost) == ["outer value 1"] * 2
        assert await first == "value 1"
        assert source.begun == 1

    async def test_task_started_by_a_load(self, s: Session, source: Source) -> None:
        """
        A task that a load starts for the session is not the load, and may wait for its value.
        """
        seen: list[str] = []

        async def heartbeat() -> None:
            seen.append(await s.get_or_create("key", source))

        async def factory() -> str:
            s.start_soon(heartbeat)
            return await source()

        assert await s.get_or_create("key", factory) == "value 1"
        await asyncio.sleep(0)
        assert seen == ["value 1"]
        assert s.close_reason is None


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are of Python 3.12")
class TestEager:
    @pytest.fixture(autouse=True)
    async def eager(self, supervisor: Supervisor) -> None:
        """
        Start tasks eagerly.
        """
        factory = getattr(asyncio, "eager_task_factory")  # noqa: B009  # 3.11 has none
        asyncio.get_running_loop().set_task_factory(factory)

    @pytest.mark.parametrize("fails", [False, True])
    async def test_load_that_is_over_at_once(self, s: Session, fails: bool) -> None:
        """
        An eager load may be over before its creation returns, in success or failure.
        """

        async def factory() -> int:
            if fails:
                raise ValueError("no")
            return 1

        if fails:
            with pytest.raises(ValueError, match="no"):
                await s.get_or_create("key", factory)
        else:
            assert await s.get_or_create("key", factory) == 1
        await asyncio.sleep(0)
        assert s.state is SessionState.IDLE

    async def test_load_that_ends_its_session(self, s: Session, clock: VirtualClock) -> None:
        """
        An eager load that ends its session in its first step is cancelled like any other.
        """

        async def factory() -> None:
            s.close_soon()
            await forever()

        with pytest.raises(SessionClosed):
            await s.get_or_create("key", factory)
        assert clock.now == 0
