"""
`explore`: what must be true after each run.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from sessionstate.testing import ExplorationError, explore
from tests.planted import FOR_EVER

# Each run has a virtual loop of its own: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time

Deed = Callable[[], object]

Kept = list[Any]


@pytest.fixture
def kept() -> Iterator[Kept]:
    """
    Give a list for what scenarios leave on purpose; it is put away afterwards.
    """
    kept: Kept = []
    yield kept
    for each in kept:
        if isinstance(each, subprocess.Popen):
            each.kill()
            each.wait()
        elif isinstance(each, int):
            os.close(each)


def when_cancelled(deed: Deed) -> Callable[[], Any]:
    """
    Return a scenario that is in order, and does *deed* when it is cancelled.
    """

    async def scenario() -> None:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            result = deed()
            if asyncio.iscoroutine(result):
                await result
            raise

    return scenario


def found(scenario: Callable[..., Any], **options: Any) -> str:
    """
    Return what exploring *scenario* finds, by a cancellation at its second step.
    """
    with pytest.raises(ExplorationError) as caught:
        explore(scenario, **({"only": "cancel@2"} | options))
    return str(caught.value)


class Unraisable:
    """
    Something that cannot be let go of in silence.
    """

    def __del__(self) -> None:
        raise LookupError("on purpose")


class TestInvariants:
    def test_task_left(self) -> None:
        """
        A task that is still there is named, with what it runs and where.
        """

        async def background() -> None:
            await asyncio.sleep(FOR_EVER)

        def leave() -> None:
            asyncio.create_task(background(), name="stray")  # noqa: RUF006 - on purpose

        told = found(when_cancelled(leave))
        assert "a task is left: stray, " in told
        assert "background, at " in told

    def test_timer_left(self) -> None:
        """
        A timer that is still armed is shown.
        """
        told = found(when_cancelled(lambda: asyncio.get_running_loop().call_later(FOR_EVER, print)))
        assert "timers are left: <TimerHandle" in told
        assert "print" in told

    def test_child_process_left(self, kept: Kept) -> None:
        """
        A child process that runs is told by its number.
        """

        def leave() -> None:
            kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))

        told = found(when_cancelled(leave), repeatable=False)
        assert f"a child process is left: {kept[0].pid}" in told

    @pytest.mark.skipif(
        sys.platform not in ("linux", "darwin"), reason="only there a process sees its descriptors"
    )
    def test_file_descriptor_left(self, kept: Kept) -> None:
        """
        A file descriptor that is open is told, with what it is.
        """
        told = found(when_cancelled(lambda: kept.append(os.open(os.devnull, os.O_RDONLY))))
        assert f"a file descriptor is left: {kept[0]}, {os.devnull}" in told

    def test_exception_handler(self) -> None:
        """
        What reaches the loop's exception handler is a problem.
        """

        def fail() -> None:
            raise LookupError("on purpose")

        told = found(when_cancelled(lambda: asyncio.get_running_loop().call_soon(fail)))
        assert "the loop's exception handler was told: " in told
        assert "(LookupError('on purpose'))" in told

    def test_error_kept_in_a_cycle(self) -> None:
        """
        An error that nobody asked for is a problem although only the collector finds it.
        """

        async def fail() -> None:
            raise LookupError("on purpose")

        def forget() -> None:
            ring: list[object] = [asyncio.create_task(fail())]
            ring.append(ring)

        told = found(when_cancelled(forget))
        assert "exception was never retrieved (LookupError('on purpose'))" in told

    def test_unraisable(self) -> None:
        """
        What nobody can raise is a problem.
        """
        told = found(when_cancelled(lambda: bool(Unraisable())))
        assert "sys.unraisablehook was told: LookupError('on purpose')" in told

    def test_never_awaited(self) -> None:
        """
        A coroutine that was dropped is a problem.
        """

        async def forgotten() -> None:
            pass

        def drop() -> None:
            forgotten()  # type: ignore[unused-coroutine]

        told = found(when_cancelled(drop))
        assert "forgotten' was never awaited" in told

    def test_dropped_unclosed(self) -> None:
        """
        A ResourceWarning is a problem; other warnings are not.
        """
        told = found(when_cancelled(lambda: warnings.warn("unclosed", ResourceWarning, 2)))
        assert "ResourceWarning: unclosed" in told
        other = when_cancelled(lambda: warnings.warn("old", DeprecationWarning, 2))
        explore(other, only="cancel@2")

    @pytest.mark.parametrize("point", ["cancel@2", "twice@2+0", "all@2", "each@2#0"])
    def test_swallowed_cancellation(self, point: str) -> None:
        """
        A scenario that goes on after a cancellation has swallowed it.
        """

        async def deaf() -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(1)

        assert "it swallowed the cancellation, and went on to its end" in found(deaf, only=point)

    def test_swallowed_by_scope(self) -> None:
        """
        A scenario that waits on in a cancelled scope, and goes on to its end, is found out.
        """

        async def deaf() -> None:
            for _ in range(3):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(1)

        told = found(deaf, only="scope@2")
        assert "it waited on in a cancelled scope, and went on to its end" in told

    def test_unbalanced_cancelling(self) -> None:
        """
        A cancellation of its own that a scenario never takes back is found after its scope.
        """

        async def unbalanced() -> None:
            task = asyncio.current_task()
            assert task is not None
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)

        assert "cancelling() is 1 after its scope" in found(unbalanced, only="scope@2")

    def test_cancelled_by_nobody(self) -> None:
        """
        A scenario that ends as cancelled when nobody cancelled it is found out.
        """

        async def mistaken() -> None:
            try:
                await asyncio.sleep(1)
            except LookupError:
                pass
            except Exception:
                raise asyncio.CancelledError from None

        told = found(mistaken, only="throw@1")
        assert "it ended cancelled, but nobody had cancelled it" in told

    def test_raises_something_else(self) -> None:
        """
        A scenario that raises what nobody expects is found out.
        """

        def fail() -> None:
            raise LookupError("on purpose")

        assert "it raised LookupError('on purpose')" in found(when_cancelled(fail))

    def test_group_with_something_else(self) -> None:
        """
        In a group, cancellations and what was injected are expected; what comes with them is not.
        """

        def fail(*errors: BaseException) -> Deed:
            def deed() -> None:
                raise BaseExceptionGroup("all", errors)

            return deed

        explore(when_cancelled(fail(asyncio.CancelledError())), only="cancel@2")
        told = found(when_cancelled(fail(asyncio.CancelledError(), LookupError("on purpose"))))
        assert "it raised BaseExceptionGroup('all'" in told

    def test_setup_that_goes_wrong(self) -> None:
        """
        A setup that raises as it is left is told.
        """
        disturbed: list[str] = []

        @asynccontextmanager
        async def setup() -> AsyncIterator[None]:
            yield
            if disturbed:
                disturbed.clear()
                raise LookupError("on purpose")

        scenario = when_cancelled(lambda: disturbed.append("yes"))
        told = found(scenario, setup=setup, repeatable=False)
        assert "its setup raised LookupError('on purpose')" in told

    def test_hangs_for_good(self) -> None:
        """
        A task that spins on whatever is done to it is told once more, and left behind.
        """
        stop: list[bool] = []

        async def spin() -> None:
            while not stop:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)

        told = found(when_cancelled(spin), repeatable=False)
        assert "it hangs: livelock" in told
        assert "it hangs even afterwards: livelock" in told

    def test_task_that_fails_when_it_is_ended(self) -> None:
        """
        A task that was left, and fails as it is ended at last, is told as left, and that is all.
        """

        async def stubborn() -> None:
            try:
                await asyncio.sleep(FOR_EVER)
            finally:
                raise LookupError("on purpose")

        def leave() -> None:
            asyncio.create_task(stubborn(), name="stray")  # noqa: RUF006 - on purpose

        told = found(when_cancelled(leave))
        assert "a task is left: stray" in told
        assert "on purpose" not in told

    def test_does_not_end(self) -> None:
        """
        A scenario that goes on for ever once it is disturbed is told, with the line that waits.
        """

        async def hang() -> None:
            await asyncio.sleep(FOR_EVER)

        told = found(when_cancelled(hang), time_limit=20)
        line = hang.__code__.co_firstlineno + 1
        assert "it has not ended after 20 virtual seconds (time_limit=): it waits at " in told
        assert f"test_explore_invariants.py:{line}" in told

    def test_cannot_be_ended(self) -> None:
        """
        A scenario that a second cancellation does not end either is told, and ended by force.
        """

        async def hang() -> None:
            for _ in range(2):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(FOR_EVER)

        told = found(when_cancelled(hang))
        assert "it cannot be ended by a cancellation either" in told

    def test_spins(self) -> None:
        """
        A scenario that runs on while time stands still hangs.
        """

        async def spin() -> None:
            while True:  # noqa: ASYNC110 - spinning is the point
                await asyncio.sleep(0)

        assert "it hangs: livelock" in found(when_cancelled(spin), repeatable=False)

    def test_not_repeatable_when_disturbed(self) -> None:
        """
        A clean-up that goes another way the next time is found out.
        """
        times: list[int] = []

        async def another_way() -> None:
            times.append(1)
            for _ in times:
                await asyncio.sleep(0)

        told = found(when_cancelled(another_way))
        assert "the same injection goes another way the next time: " in told
        explore(when_cancelled(another_way), only="cancel@2", repeatable=False)

    def test_setup_that_cannot_be_left(self) -> None:
        """
        A setup that does not end is told.
        """
        disturbed: list[str] = []

        @asynccontextmanager
        async def setup() -> AsyncIterator[None]:
            yield
            if disturbed:
                disturbed.clear()
                await asyncio.sleep(FOR_EVER)

        scenario = when_cancelled(lambda: disturbed.append("yes"))
        told = found(scenario, setup=setup, repeatable=False)
        assert "its setup cannot be left" in told

    def test_check_that_does_not_end(self) -> None:
        """
        A check that waits for ever is told.
        """
        disturbed: list[str] = []

        async def check() -> None:
            if disturbed:
                disturbed.clear()
                await asyncio.sleep(FOR_EVER)

        scenario = when_cancelled(lambda: disturbed.append("yes"))
        told = found(scenario, check=check, repeatable=False)
        assert "the check has not ended after 7200 s" in told
