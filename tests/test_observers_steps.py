"""
The steps of a clean-up, as observers are told of them: which, how long each took, what it raised.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import CleanUpStep, SessionClosed, SessionEnded, SessionEvent, Supervisor
from tests.bodies import LONG, deaf, noted, until_cancelled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time

PLAIN = "context _GeneratorContextManager"
HOSTED = "context _AsyncGeneratorContextManager"


class Steps:
    """
    The steps that an observer was told of.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self.told: list[CleanUpStep] = []
        self.ended = 0
        self.observation = supervisor.observe(self._note)

    def _note(self, event: SessionEvent) -> None:
        if isinstance(event, CleanUpStep):
            self.told.append(event)
        self.ended += isinstance(event, SessionEnded)

    def took(self) -> list[tuple[str, float]]:
        """
        Return which steps took how long.
        """
        return [(_short(step.where), round(step.took, 6)) for step in self.told]

    def errors(self) -> list[tuple[str, str]]:
        """
        Return which steps failed, and how.
        """
        return [(_short(step.where), repr(step.error)) for step in self.told if step.error]


def _short(where: str) -> str:
    """
    Name a step without the place where its function was defined.
    """
    kind, _, name = where.rpartition(" ")
    return f"{kind} {name.rpartition('.')[2]}"


@pytest.fixture
async def ten(start_supervisor: StartSupervisor) -> Supervisor:
    """
    Give a supervisor whose clean-ups have ten seconds.
    """
    return await start_supervisor(close_timeout=10)


def plain() -> None:
    """
    Do nothing, as a callback.
    """


def fail(*_: object) -> None:
    """
    Fail, as a callback or hook.
    """
    raise ValueError("plain")


async def fail_later(*_: object) -> None:
    """
    Fail after a second.
    """
    await asyncio.sleep(1)
    raise ValueError("later")


@contextmanager
def entered() -> Iterator[None]:
    """
    Be a context that is left at once.
    """
    yield


@asynccontextmanager
async def hosted(seconds: float = 0.5) -> AsyncIterator[None]:
    """
    Be a context that takes its time to be left.
    """
    yield
    await asyncio.sleep(seconds)


class TestKinds:
    async def test_each_kind(self, ten: Supervisor, log: list[str]) -> None:
        """
        Each hook, callback and context is a step of its own; all owned tasks are one.
        """

        async def on_close(*_: object) -> None:
            await asyncio.sleep(0.25)

        steps = Steps(ten)
        ten.on_close(lambda s, reason: None)
        ten.on_close(on_close)
        async with ten.session("a") as s:
            s.callback(plain)
            s.push_async_callback(noted, log, "async", 2)
            s.enter_context(entered())
            await s.enter_async_context(hosted())
            s.start_soon(until_cancelled, log, "quick", 0.5)
            s.start_soon(until_cancelled, log, "slow", 1)
            await asyncio.sleep(3)
        assert steps.took() == [
            ("on_close hook", 0),
            ("on_close hook", 0.25),
            ("owned tasks", 1),
            (HOSTED, 0.5),
            (PLAIN, 0),
            ("async callback noted", 2),
            ("callback plain", 0),
        ]
        assert [step.at for step in steps.told] == [3, 3.25, 4.25, 4.75, 4.75, 6.75, 6.75]
        assert {(step.id, step.incarnation) for step in steps.told} == {("a", 1)}
        assert (steps.errors(), steps.ended) == ([], 1)

    async def test_failing(self, supervisor: Supervisor) -> None:
        """
        A step that fails is told with what it raised; the on_error hooks that follow are steps too.
        """

        @contextmanager
        def broken() -> Iterator[None]:
            yield
            raise OSError("context")

        @asynccontextmanager
        async def broken_host() -> AsyncIterator[None]:
            yield
            raise OSError("host")

        async def on_error(*_: object) -> None:
            await asyncio.sleep(0.125)

        steps = Steps(supervisor)
        supervisor.on_close(fail)
        supervisor.on_close(fail_later)
        s = await supervisor.open("a")
        s.callback(fail)
        s.push_async_callback(fail_later)
        s.push_async_callback(plain)  # type: ignore[arg-type]
        s.enter_context(broken())
        await s.enter_async_context(broken_host())
        supervisor.on_error(on_error)
        with pytest.raises(ExceptionGroup):
            await s.aclose()
        told = [(where, took) for where, took in steps.took() if where != "on_error hook"]
        assert told == [
            ("on_close hook", 0),
            ("on_close hook", 1),
            (HOSTED, 0),
            (PLAIN, 0),
            ("async callback plain", 0),
            ("async callback fail_later", 1),
            ("callback fail", 0),
        ]
        assert steps.took().count(("on_error hook", 0.125)) == len(told)
        advice = "which cannot be awaited: use callback"
        assert [error for _, error in steps.errors()] == [
            "ValueError('plain')",
            "ValueError('later')",
            "OSError('host')",
            "OSError('context')",
            f"TypeError('async callback plain returned None, {advice}')",
            "ValueError('later')",
            "ValueError('plain')",
        ]

    async def test_failing_on_error_hook(
        self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        An on_error hook that hangs is cut short, as any step is, and is told of itself by nobody.
        """

        async def hang(*_: object) -> None:
            await deaf(LONG)

        steps = Steps(supervisor)
        supervisor.on_error(hang)
        s = await supervisor.open("a")
        s.callback(fail)
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert [where for where, _ in steps.errors()] == ["callback fail", "on_error hook"]
        assert len(caught.value.exceptions) == 2
        await asyncio.sleep(LONG)

    async def test_tasks_that_fail(self, supervisor: Supervisor) -> None:
        """
        The errors of owned tasks are each task's own: their common step ended well.
        """

        async def work() -> None:
            try:
                await asyncio.sleep(LONG)
            finally:
                await fail_later()

        steps = Steps(supervisor)
        s = await supervisor.open("a")
        s.start_soon(work)
        await asyncio.sleep(0)
        with pytest.raises(ExceptionGroup) as caught:
            await s.aclose()
        assert caught.group_contains(ValueError, match="later")
        assert (steps.took(), steps.errors()) == ([("owned tasks", 1)], [])

    async def test_tasks_that_tell_of_the_end(self, supervisor: Supervisor) -> None:
        """
        An owned task that raises what the session's end told it has not failed.
        """

        async def work() -> None:
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                raise ExceptionGroup("all", [s._closed_error()]) from None

        steps = Steps(supervisor)
        s = await supervisor.open("a")
        s.start_soon(work)
        await asyncio.sleep(0)
        await s.aclose()
        assert steps.took() == [("owned tasks", 0)]

    async def test_context_that_was_never_entered(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A context whose entering had not begun when the session ended is no step: nothing is left.
        """
        steps = Steps(supervisor)
        s = await supervisor.open("a")
        entering = asyncio.create_task(s.enter_async_context(hosted()))
        asyncio.get_running_loop().call_soon(s.close_soon)
        with pytest.raises(SessionClosed):
            await entering
        await clock.settle()
        assert (steps.told, steps.ended) == ([], 1)


class TestTime:
    async def test_cut_short(self, ten: Supervisor) -> None:
        """
        A step that ends when it is cancelled is told with a time-out, and how long it had.
        """
        steps = Steps(ten)
        s = await ten.open("a")
        s.callback(plain)
        s.push_async_callback(asyncio.sleep, LONG)
        with pytest.raises(ExceptionGroup):
            await s.aclose()
        assert steps.took() == [("async callback sleep", 4), ("callback plain", 0)]
        ((_, error),) = steps.errors()
        assert error.startswith("TimeoutError(")
        assert "took too long, and was cancelled" in error

    async def test_abandoned(self, ten: Supervisor) -> None:
        """
        A step that does not end is told once, when it is abandoned; so is each task that does not.
        """
        steps = Steps(ten)
        s = await ten.open("a")
        s.push_async_callback(deaf, LONG)
        s.start_soon(deaf, LONG)
        s.start_soon(deaf, 1)
        await asyncio.sleep(0)
        with pytest.raises(ExceptionGroup):
            await s.aclose()
        assert steps.took() == [("task deaf", 5), ("async callback deaf", 5)]
        assert all("did not end in time, and was abandoned" in error for _, error in steps.errors())
        assert len(steps.errors()) == 2
        await asyncio.sleep(LONG)
        assert len(steps.told) == 2

    async def test_shutdown_is_over(self, clock: VirtualClock) -> None:
        """
        What the shutdown does not wait for any more is told as abandoned, and all else begins.
        """
        async with Supervisor(default=False, shutdown_timeout=2, close_timeout=None) as supervisor:
            parent = await supervisor.open("parent")
            parent.callback(plain)
            parent.push_async_callback(deaf, LONG)
            parent.push_async_callback(deaf, LONG)
            child = await supervisor.open("child", parent=parent)
            child.push_async_callback(deaf, LONG)
            steps = Steps(supervisor)
        assert clock.now == 2
        assert [(step.id, step.where.partition(" ")[0]) for step in steps.told] == [
            ("child", "async"),
            ("parent", "async"),
            ("parent", "async"),
            ("parent", "callback"),
        ]
        assert steps.took()[1:] == [
            ("async callback deaf", 0),
            ("async callback deaf", 0),
            ("callback plain", 0),
        ]
        assert [error.count("abandoned") for _, error in steps.errors()] == [1, 1, 1]
        await asyncio.sleep(LONG)

    async def test_tasks_while_the_shutdown_is_over(self) -> None:
        """
        Owned tasks that the shutdown catches in their step are told as abandoned.
        """
        async with Supervisor(default=False, shutdown_timeout=2, close_timeout=None) as supervisor:
            steps = Steps(supervisor)
            s = await supervisor.open("a")
            s.start_soon(deaf, LONG)
            await asyncio.sleep(0)
        assert [where for where, _ in steps.took()] == ["task deaf"]
        await asyncio.sleep(LONG)

    async def test_begun_before_the_observation(
        self, supervisor: Supervisor, log: list[str], clock: VirtualClock
    ) -> None:
        """
        A step that began before anybody observed is not told: nobody knows when. The next ones are.
        """
        s = await supervisor.open("a")
        s.push_async_callback(noted, log, "second", 1)
        s.push_async_callback(noted, log, "first", 1.5)
        s.close_soon()
        await clock.advance(1)
        steps = Steps(supervisor)
        await s.wait_closed()
        assert steps.took() == [("async callback noted", 1)]
        assert log == ["first begins", "first", "second begins", "second"]

    async def test_begun_by_a_step(self, supervisor: Supervisor) -> None:
        """
        A callback that begins to observe is not told of itself.
        """
        seen: list[Any] = []
        s = await supervisor.open("a")
        s.push_async_callback(asyncio.sleep, 0)
        s.callback(lambda: seen.append(Steps(supervisor)))
        await s.aclose()
        assert seen[0].took() == [("async callback sleep", 0)]
