from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import (
    CloseReason,
    Session,
    SessionClosed,
    SessionState,
    Supervisor,
    session,
)
from sessionstate._sites import place
from tests.test_state import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor


async def forever() -> None:
    """
    Wait until cancelled.
    """
    await asyncio.Event().wait()


async def noop() -> None:
    """
    Return at once.
    """


def line() -> int:
    """
    Return the caller's line.
    """
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


class TestFace:
    async def test_what_it_tells(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A session tells its place, its times and its state, and in the end why it ended.
        """
        await clock.advance(5)
        async with session("a") as s:
            assert s.opened_where == f"{__file__}:{line() - 1}"
            assert (s.id, s.incarnation, s.supervisor) == ("a", 1, supervisor)
            assert (s.opened_at, s.last_used, s.deadline, s.expires_in) == (5, 5, None, None)
            assert (s.state, s.close_reason, s.exception) == (SessionState.OPEN, None, None)
        assert (s.state, s.close_reason) == (SessionState.CLOSED, CloseReason.COMPLETED)
        assert (s.deadline, s.expires_in, s.exception) == (None, None, None)
        again = await supervisor.open("a")
        assert again.opened_where == f"{__file__}:{line() - 1}"
        assert (again.incarnation, again.state) == (2, SessionState.IDLE)
        assert (again.deadline, again.expires_in) == (1805, 1800)

    async def test_ids(self, supervisor: Supervisor) -> None:
        """
        Without an id a session gets a random one of 128 bits.
        """
        async with session() as a, session() as b:
            where = f"{__file__}:{line() - 1}"
            assert a.id != b.id
            assert len(bytes.fromhex(a.id)) == 16
            assert a.opened_where == b.opened_where == where

    def test_place_without_a_line(self) -> None:
        """
        An instruction without a line is placed at the first line of its function.
        """
        code = line.__code__
        assert place(code, 1_000_000) == f"{code.co_filename}:{code.co_firstlineno}"

    @pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
    async def test_copying(self, s: Session, how: Callable[[object], object]) -> None:
        """
        Copying or pickling a session is a TypeError with advice.
        """
        with pytest.raises(TypeError, match="a Session cannot be copied or pickled: pass its id"):
            how(s)

    async def test_vars_and_lock_live_in_the_session(self, s: Session) -> None:
        """
        Vars and lock are the session's own, and gone when it is closed.
        """
        s.vars["x"] = 1
        assert s.vars == {"x": 1}
        async with s.lock:
            assert s.lock.locked()
        await s.aclose()
        for name in ("vars", "lock"):
            with pytest.raises(SessionClosed):
                getattr(s, name)

    async def test_other_threads(self, s: Session) -> None:
        """
        Another thread may touch and look on; whatever changes the session is a RuntimeError.
        """
        before = s.last_used
        await asyncio.sleep(0.01)
        assert in_thread(s.touch) is None
        assert s.last_used > before
        for call in (s.close_soon, lambda: s.extend(5), lambda: s.lock):
            assert "belongs to another thread" in str(in_thread(call))
        for wait in (s.aclose, s.wait_closed):
            outcome = in_thread(lambda wait=wait: asyncio.run(wait()))  # type: ignore[misc]
            assert isinstance(outcome, RuntimeError)
        assert s.close_reason is None


class TestDeadline:
    async def test_touch(self, s: Session, clock: VirtualClock) -> None:
        """
        Touch restarts the idle clock; after the end it does nothing.
        """
        await clock.advance(1000)
        s.touch()
        assert s.expires_in == 1800
        await clock.advance(1000)
        assert s.state is SessionState.IDLE
        await s.aclose()
        used = s.last_used
        await clock.advance(1)
        s.touch()
        assert s.last_used == used

    @pytest.mark.parametrize("seconds", [3600, timedelta(hours=1)])
    async def test_extend(self, s: Session, clock: VirtualClock, seconds: Any) -> None:
        """
        Extend moves the running deadline to at least that far from now, and never nearer.
        """
        s.extend(10)
        assert s.expires_in == 1800
        s.extend(seconds)
        s.extend(2000)
        assert s.expires_in == 3600
        await clock.advance(3599)
        assert s.state is SessionState.IDLE
        await clock.advance(20)
        assert s.close_reason is CloseReason.IDLE
        with pytest.raises(SessionClosed):
            s.extend(10)

    async def test_never_beyond_max_age(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        Extend never reaches beyond `max_age`, which counts however busy the session is.
        """
        s = await supervisor.open("a", idle_timeout=10, max_age=100)
        s.extend(1000)
        assert s.expires_in == 100
        await clock.advance(101)
        assert s.close_reason is CloseReason.EXPIRED

    @pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf")])
    async def test_extend_by_nonsense(self, s: Session, wrong: float) -> None:
        """
        What is no duration is a ValueError.
        """
        with pytest.raises(ValueError, match="seconds must be"):
            s.extend(wrong)

    async def test_overdue(self, start_supervisor: StartSupervisor) -> None:
        """
        A deadline that has passed and was not seen yet is 0 seconds away.
        """
        now = [0.0]
        supervisor = await start_supervisor(clock=lambda: now[0])
        s = await supervisor.open("a")
        now[0] = 5000
        assert s.expires_in == 0

    @pytest.mark.parametrize(
        ("reason", "options"),
        [
            (CloseReason.IDLE, {"idle_timeout": 10}),
            (CloseReason.UNUSED, {"unused_timeout": 10}),
            (CloseReason.EXPIRED, {"max_age": 10}),
        ],
    )
    async def test_reason_of_the_deadline(
        self,
        start_supervisor: StartSupervisor,
        clock: VirtualClock,
        reason: CloseReason,
        options: dict[str, float],
    ) -> None:
        """
        The deadline that comes first gives the reason.
        """
        s = await (await start_supervisor(**options)).open("a")
        assert s.expires_in == 10
        await clock.advance(10.1)
        assert s.close_reason is reason

    async def test_reason_of_a_held_and_a_lingering_one(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A silent holder is `stalled`; what lingers ends for the reason for which its owner left.
        """
        with pytest.raises(SessionClosed) as caught:
            async with session("a", stall_timeout=10):
                await forever()
        assert caught.value.reason is CloseReason.STALLED
        error = ValueError("no")
        with pytest.raises(ValueError, match="no"):
            async with session("b", linger=10) as s:
                raise error
        assert (s.state, s.exception, s.expires_in) == (SessionState.IDLE, error, 10)
        await clock.advance(10.1)
        assert s.close_reason is CloseReason.FAILED


class TestEnd:
    async def test_first_reason_wins(self, s: Session) -> None:
        """
        Who ends it decides the reason; later ones are told that they did not.
        """
        assert s.close_soon(CloseReason.DELETED) is True
        assert s.close_soon() is False
        assert await s.aclose(CloseReason.FAILED) is False
        assert await s.wait_closed() is CloseReason.DELETED

    async def test_asking_by_handle(self, supervisor: Supervisor) -> None:
        """
        Aclose waits for the clean-up and raises its errors to the one who decided.
        """
        s = await supervisor.open("a")

        async def clean_up() -> None:
            await asyncio.sleep(1)
            raise ValueError("no")

        s.push_async_callback(clean_up)
        first, second = asyncio.create_task(s.aclose()), asyncio.create_task(s.aclose())
        outcome = await asyncio.gather(first, second, return_exceptions=True)
        assert isinstance(outcome[0], ExceptionGroup)
        assert outcome[1] is False

    @pytest.mark.parametrize("reason", ["deleted", None, 5])
    async def test_reason_is_none(self, s: Session, reason: Any) -> None:
        """
        A reason that is no CloseReason is a TypeError, and ends nothing.
        """
        for call in (s.close_soon, s.aclose):
            with pytest.raises(TypeError, match="must be a CloseReason"):
                await call(reason)
        assert s.close_reason is None

    async def test_waiting_for_oneself(self, supervisor: Supervisor) -> None:
        """
        Waiting for the end from a block, an owned task or the clean-up is a RuntimeError.
        """
        seen: list[str] = []

        async def wait(where: str) -> None:
            try:
                await s.wait_closed()
            except RuntimeError as error:
                seen.append(f"{where} {'would never return' in str(error)}")

        async with session("a") as s:
            s.push_async_callback(wait, "clean-up")
            s.start_soon(wait, "task")
            await wait("block")
            await asyncio.sleep(0)
        assert await s.wait_closed() is CloseReason.COMPLETED
        assert sorted(seen) == ["block True", "clean-up True", "task True"]

    async def test_cancelled_wait(self, s: Session, clock: VirtualClock) -> None:
        """
        Cancelling a wait stops the waiting, not the clean-up.
        """
        s.push_async_callback(asyncio.sleep, 1)
        waits = [asyncio.create_task(s.aclose()), asyncio.create_task(s.wait_closed())]
        await clock.advance(0.5)
        for wait in waits:
            wait.cancel()
        await clock.advance(0.1)
        assert [each.cancelled() for each in waits] == [True, True]
        assert s.state is SessionState.CLOSING
        await clock.advance(1)
        assert s.state is SessionState.CLOSED

    async def test_waiter_cancelled_as_the_end_comes(self, s: Session, clock: VirtualClock) -> None:
        """
        A wait that is cancelled just as the session is closed disturbs no other.
        """
        first, second = (asyncio.create_task(s.wait_closed()) for _ in range(2))
        await clock.settle()
        first.cancel()
        s.close_soon()
        await clock.settle()
        assert first.cancelled()
        assert await second is CloseReason.COMPLETED

    async def test_what_the_error_says(self, s: Session, clock: VirtualClock) -> None:
        """
        SessionClosed tells which life ended when and why, and how to open it again.
        """
        await s.aclose()
        await clock.advance(12)
        with pytest.raises(
            SessionClosed, match=r"'a' \(1st life\) ended 12 s ago: completed; open it again"
        ):
            s.callback(noop_sync)


def noop_sync() -> None:
    """
    Do nothing.
    """
