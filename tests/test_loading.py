from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from sessionstate import Session, SessionClosed, SessionState, Supervisor, session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sessionstate.testing import VirtualClock


class Source:
    """
    A slow source of values that counts its loads.
    """

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0

    async def __call__(self) -> str:
        """
        Take a second.
        """
        self.begun += 1
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return f"value {self.begun}"


async def forever() -> None:
    """
    Wait until cancelled.
    """
    await asyncio.Event().wait()


@pytest.fixture
def source() -> Source:
    """
    Give a source.
    """
    return Source()


def ask(s: Session, factory: Callable[[], Awaitable[Any]], key: str = "key") -> asyncio.Task[Any]:
    """
    Ask for a value in a task of its own.
    """
    return asyncio.create_task(s.get_or_create(key, factory))


class TestSingleFlight:
    async def test_all_waiters_share_one_load(self, s: Session, source: Source) -> None:
        """
        The factory runs once however many ask, at once or later.
        """
        assert await asyncio.gather(*(ask(s, source) for _ in range(5))) == ["value 1"] * 5
        assert await s.get_or_create("key", source) == "value 1"
        assert source.begun == 1

    @pytest.mark.virtual_time
    async def test_keys_and_sessions_are_apart(
        self, supervisor: Supervisor, s: Session, source: Source
    ) -> None:
        """
        Each key of each session has its own value, and a new life loads again.
        """
        other = await supervisor.open("b")
        assert await s.get_or_create("key", source) == "value 1"
        assert await s.get_or_create(("key", 2), source) == "value 2"
        assert await other.get_or_create("key", source) == "value 3"
        await s.aclose()
        again = await supervisor.open("a")
        assert await again.get_or_create("key", source) == "value 4"

    @pytest.mark.parametrize("value", [None, False, (), ValueError])
    async def test_any_value_is_remembered(self, s: Session, value: object) -> None:
        """
        A value that is false is a value.
        """
        made: list[int] = []

        async def factory() -> object:
            made.append(1)
            return value

        assert await s.get_or_create("key", factory) is value
        assert await s.get_or_create("key", factory) is value
        assert made == [1]

    async def test_any_awaitable_will_do(self, s: Session) -> None:
        """
        A factory may return any awaitable, such as a future.
        """
        future = asyncio.get_running_loop().create_future()
        future.set_result(5)
        assert await s.get_or_create("key", lambda: future) == 5

    async def test_closed_session(self, supervisor: Supervisor, source: Source) -> None:
        """
        A closed session gives no value and loads none.
        """
        async with session("a") as s:
            await s.get_or_create("key", source)
        with pytest.raises(SessionClosed):
            await s.get_or_create("key", source)
        assert source.begun == 1


class TestFailure:
    @pytest.mark.virtual_time
    async def test_reaches_all_and_is_not_remembered(self, s: Session) -> None:
        """
        A failure reaches all who wait, ends nothing, and the next one who asks loads again.
        """
        answers: list[Exception | int] = [ValueError("no"), 7]

        async def factory() -> int:
            await asyncio.sleep(1)
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        tasks = [ask(s, factory) for _ in range(3)]
        outcome = await asyncio.gather(*tasks, return_exceptions=True)
        assert [repr(each) for each in outcome] == ["ValueError('no')"] * 3
        assert s.state is SessionState.IDLE
        assert await s.get_or_create("key", factory) == 7

    async def test_load_cancelled_by_somebody_else(self, s: Session, clock: VirtualClock) -> None:
        """
        Waiters of a load that somebody else cancelled get an error, not a cancellation of theirs.
        """

        async def factory() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await forever()

        with pytest.raises(RuntimeError, match="was cancelled"):
            await s.get_or_create("key", factory)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    @pytest.mark.parametrize("fails", [False, True])
    async def test_late_failure_is_nobodys(
        self, s: Session, clock: VirtualClock, loop_errors: list[Any], fails: bool
    ) -> None:
        """
        A load that its last waiter gave up may end as it likes.
        """

        async def factory() -> int:
            try:
                await forever()
            except asyncio.CancelledError:
                await asyncio.sleep(1)
                if fails:
                    raise ValueError from None
            await asyncio.sleep(1)
            return 1

        task = ask(s, factory)
        await clock.settle()
        task.cancel()
        await clock.advance(3)
        assert task.cancelled()
        assert loop_errors == []
        assert s.state is SessionState.IDLE

    @pytest.mark.parametrize(
        ("factory", "message"),
        [
            (5, "a function is needed, not 5"),
            (lambda: 5, "needs an async factory"),
        ],
        ids=["no function", "not async"],
    )
    async def test_factory_is_no_async_function(
        self, s: Session, factory: Any, message: str
    ) -> None:
        """
        A factory that is not async is a TypeError, which ends nothing.
        """
        with pytest.raises(TypeError, match=message):
            await s.get_or_create("key", factory)
        assert s.state is SessionState.IDLE

    async def test_coroutine_instead_of_a_function(self, s: Session) -> None:
        """
        A coroutine in place of the factory is a TypeError with advice, and is closed.
        """
        with pytest.raises(TypeError, match=r"write f, args instead of f\(args\)"):
            await s.get_or_create("key", cast("Any", forever()))

    async def test_key_that_cannot_be_hashed(self, s: Session, source: Source) -> None:
        """
        A key that cannot be hashed is a TypeError, and loads nothing.
        """
        with pytest.raises(TypeError, match="unhashable"):
            await s.get_or_create(cast("Any", []), source)
        assert source.begun == 0


class TestCancellation:
    async def test_one_waiter_leaves_the_others_alone(
        self, s: Session, source: Source, clock: VirtualClock
    ) -> None:
        """
        A waiter's cancellation reaches neither the load nor the others, were it the first to ask.
        """
        first, second = ask(s, source), ask(s, source)
        await clock.advance(0.5)
        first.cancel()
        assert await second == "value 1"
        assert first.cancelled()
        assert (source.begun, source.cancelled) == (1, 0)

    async def test_last_waiter_takes_the_load_along(
        self, s: Session, source: Source, clock: VirtualClock
    ) -> None:
        """
        The load is cancelled with its last waiter, and who asks next begins another.
        """
        tasks = [ask(s, source), ask(s, source)]
        await clock.advance(0.5)
        for task in tasks:
            task.cancel()
        await clock.settle()
        third = ask(s, source)
        await clock.advance(0.1)
        assert (source.begun, source.cancelled) == (2, 1)
        assert await third == "value 2"

    async def test_waiter_cancelled_as_the_value_arrives(
        self, s: Session, source: Source, clock: VirtualClock
    ) -> None:
        """
        A value that arrives together with the last waiter's cancellation is kept.
        """

        async def factory() -> str:
            value = await source()
            task.cancel()
            return value

        task = ask(s, factory)
        await clock.advance(2)
        assert task.cancelled()
        assert await s.get_or_create("key", source) == "value 1"

    async def test_waiter_cancelled_as_the_load_fails(
        self, s: Session, clock: VirtualClock, loop_errors: list[Any]
    ) -> None:
        """
        A failure that arrives together with a waiter's cancellation is reported nowhere.
        """

        async def factory() -> None:
            await asyncio.sleep(1)
            asyncio.get_running_loop().call_soon(task.cancel)
            raise ValueError

        task = ask(s, factory)
        await clock.advance(2)
        assert task.cancelled()
        assert loop_errors == []

    async def test_timeout_around(self, s: Session, source: Source) -> None:
        """
        A time-out around works as around any await.
        """
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await s.get_or_create("key", source)
