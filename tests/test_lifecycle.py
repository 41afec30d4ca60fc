"""
A session's life: who holds it, which clock runs, and with which reason it ends.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import CloseReason, Session, SessionClosed, SessionMap, SessionState, Supervisor

if TYPE_CHECKING:
    from sessionstate._holders import Block
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

LATE = 1 / 256


async def inside(
    block: Block, leave: asyncio.Event, error: BaseException | None = None
) -> Session | str:
    """
    Stay in *block* until *leave*, then raise *error*; tell how it ended.
    """
    try:
        async with block as session:
            await leave.wait()
            if error is not None:
                raise error
    except SessionClosed as closed:
        return f"closed: {closed.reason}"
    except BaseException as raised:
        return repr(raised)
    return session


def in_time(clock: VirtualClock, due: float, timeout: float) -> bool:
    """
    Tell whether it is *due* by now, and hardly later.
    """
    return due <= clock.now <= due + max(timeout * LATE, 0.005) + 0.001


async def until_closed(session: Session) -> CloseReason:
    """
    Wait for the end, not for ever.
    """
    async with asyncio.timeout(100_000):
        return await session.wait_closed()


class TestStates:
    async def test_go_from_open_to_idle_and_back(self, supervisor: Supervisor) -> None:
        """
        A session is open while a block is inside, and idle while none is.
        """
        session = await supervisor.open("a")
        assert session.state is SessionState.IDLE
        async with supervisor.attach("a"):
            assert session.state is SessionState.OPEN
            async with supervisor.attach("a"):
                pass
            assert session.state is SessionState.OPEN
        assert session.state is SessionState.IDLE
        supervisor._check()

    async def test_go_through_closing_to_closed(self, supervisor: Supervisor) -> None:
        """
        From the decision on a session is closing, not found by id, and closed when all is released.
        """
        session = await supervisor.open("a")
        go = asyncio.Event()
        session.push_async_callback(go.wait)
        assert session.close_reason is None
        session.close_soon()
        assert session.state is SessionState.CLOSING
        assert session.close_reason is CloseReason.COMPLETED
        assert "a" not in supervisor
        assert session.deadline is session.expires_in is None
        go.set()
        assert await session.wait_closed() is CloseReason.COMPLETED
        assert session.state is SessionState.CLOSED

    async def test_lives_are_numbered(self, supervisor: Supervisor) -> None:
        """
        Each life of an id has a number that grows within its supervisor.
        """
        numbers = []
        for id in ("a", "b", "a"):
            async with supervisor.session(id) as session:
                numbers.append(session.incarnation)
        assert numbers == sorted(set(numbers))


class TestOwners:
    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (None, CloseReason.COMPLETED),
            (ValueError("x"), CloseReason.FAILED),
            (KeyboardInterrupt(), CloseReason.FAILED),
            (asyncio.CancelledError(), CloseReason.CANCELLED),
            (GeneratorExit(), CloseReason.CANCELLED),
        ],
    )
    @pytest.mark.parametrize("linger", [0, 5])
    async def test_end_it_as_the_last_one_left(
        self,
        supervisor: Supervisor,
        clock: VirtualClock,
        error: BaseException | None,
        reason: CloseReason,
        linger: float,
    ) -> None:
        """
        The session ends with how its last owner left: at once, or after its linger.
        """
        with suppress(BaseException):
            async with supervisor.session("a", linger=linger) as session:
                if error is not None:
                    raise error
        if linger:
            assert session.state is SessionState.IDLE
            assert session.exception is error
            assert session.expires_in == linger
        assert await until_closed(session) is reason
        assert in_time(clock, linger, linger)

    async def test_the_last_one_decides(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        While an owner is inside, another one's exit ends nothing, however it left.
        """
        first, second = asyncio.Event(), asyncio.Event()
        one = asyncio.create_task(inside(supervisor.session("a"), first, ValueError("x")))
        two = asyncio.create_task(inside(supervisor.session("a"), second))
        await clock.settle()
        session = supervisor["a"]
        first.set()
        assert await one == "ValueError('x')"
        assert session.state is SessionState.OPEN
        second.set()
        assert await two is session
        assert session.close_reason is CloseReason.COMPLETED

    async def test_interrupt_visitors_when_they_end_it(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        When the last owner leaves, visitors inside get `SessionClosed`.
        """
        visit = asyncio.create_task(inside(supervisor.attach("a"), asyncio.Event()))
        await clock.settle()
        async with supervisor.session("a"):
            pass
        assert await visit == "closed: completed"

    async def test_draw_a_random_id(self, supervisor: Supervisor) -> None:
        """
        Without an id a session gets a random one of 128 bits.
        """
        async with supervisor.session() as one, supervisor.session() as two:
            assert one.id != two.id
            assert len(bytes.fromhex(one.id)) == 16


class TestVisitors:
    @pytest.mark.parametrize("error", [None, ValueError("x"), asyncio.CancelledError()])
    async def test_leave_it_idle(
        self, supervisor: Supervisor, clock: VirtualClock, error: BaseException | None
    ) -> None:
        """
        When the last visitor leaves, the session goes idle; its exception ends nothing.
        """
        with suppress(BaseException):
            async with supervisor.attach("a", idle_timeout=60) as session:
                await clock.advance(500)
                if error is not None:
                    raise error
        assert session.state is SessionState.IDLE
        assert session.expires_in == 60
        assert await until_closed(session) is CloseReason.IDLE
        assert in_time(clock, 560, 60)

    async def test_hold_it(self, start_supervisor: StartSupervisor, clock: VirtualClock) -> None:
        """
        A session with a visitor inside is never idle.
        """
        supervisor = await start_supervisor(idle_timeout=10)
        async with supervisor.attach("a") as session:
            await clock.advance(1000)
            assert supervisor["a"] is session


class TestIdle:
    async def test_runs_from_the_opening(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A session that nobody holds is idle from its opening, and ends by that clock.
        """
        supervisor = await start_supervisor(idle_timeout=10)
        session = await supervisor.open("a")
        assert session.deadline == 10
        assert await until_closed(session) is CloseReason.IDLE
        assert in_time(clock, 10, 10)

    async def test_restarts_with_each_touch(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        `touch`, and opening it again, restart the idle clock; `get` and `lookup` do not.
        """
        session = await supervisor.open("a", idle_timeout=10)
        await clock.advance(9)
        session.touch()
        assert (session.last_used, session.deadline) == (9, 19)
        await clock.advance(9)
        assert await supervisor.open("a") is session
        assert session.deadline == 28
        await clock.advance(9)
        assert supervisor.get("a") is await supervisor.lookup("a") is session
        assert await until_closed(session) is CloseReason.IDLE
        assert in_time(clock, 28, 10)
        session.touch()
        assert session.last_used == 18

    async def test_waits_for_an_extension(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        `extend` moves the deadline to that far from now, never nearer, never beyond `max_age`.
        """
        session = await supervisor.open("a", idle_timeout=10, max_age=100)
        session.extend(5)
        assert session.deadline == 10
        session.extend(50)
        assert session.deadline == 50
        session.extend(500)
        assert session.deadline == 100
        assert await until_closed(session) is CloseReason.EXPIRED
        assert in_time(clock, 100, 10)
        with pytest.raises(SessionClosed):
            session.extend(5)


class TestUnused:
    async def test_limits_what_nobody_ever_entered(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        An opened session ends as unused after `unused_timeout`; a touch restarts that clock.
        """
        supervisor = await start_supervisor(idle_timeout=100, unused_timeout=10)
        session = await supervisor.open("a")
        assert session.expires_in == 10
        await clock.advance(5)
        session.touch()
        assert await until_closed(session) is CloseReason.UNUSED
        assert in_time(clock, 15, 10)

    @pytest.mark.virtual_time
    async def test_is_over_with_the_first_block(self, start_supervisor: StartSupervisor) -> None:
        """
        After its first block an opened session knows its idle timeout only, whoever opens it again.
        """
        supervisor = await start_supervisor(idle_timeout=100, unused_timeout=10)
        session = await supervisor.open("a")
        async with supervisor.attach("a"):
            pass
        assert session.expires_in == 100
        await supervisor.open("a", idle_timeout=90)
        assert session.expires_in == 90

    @pytest.mark.virtual_time
    async def test_never_is_longer_than_idle(self, start_supervisor: StartSupervisor) -> None:
        """
        Where the idle timeout is shorter, it holds, and is the reason.
        """
        supervisor = await start_supervisor(idle_timeout=5, unused_timeout=10)
        session = await supervisor.open("a")
        assert session.expires_in == 5
        assert await until_closed(session) is CloseReason.IDLE

    @pytest.mark.virtual_time
    async def test_does_not_concern_adopted_ones(self, start_supervisor: StartSupervisor) -> None:
        """
        A session that a write adopted knows only `idle`.
        """
        supervisor = await start_supervisor(idle_timeout=100, unused_timeout=10)
        SessionMap[int]("m", adopt=True)["a"] = 1
        session = supervisor["a"]
        assert session.expires_in == 100
        assert await until_closed(session) is CloseReason.IDLE


class TestHeld:
    @pytest.mark.parametrize("way", ["session", "attach"])
    async def test_expires_however_busy(
        self, start_supervisor: StartSupervisor, clock: VirtualClock, way: str
    ) -> None:
        """
        `max_age` counts from the opening, whatever is touched, and interrupts who is inside.
        """
        supervisor = await start_supervisor(max_age=20)
        body = asyncio.create_task(inside(getattr(supervisor, way)("a"), asyncio.Event()))
        for _ in range(10):
            await clock.advance(1.9)
            supervisor["a"].touch()
        assert await body == "closed: expired"
        assert in_time(clock, 20, 20)

    @pytest.mark.parametrize("way", ["session", "attach"])
    async def test_stalls_without_activity(
        self, supervisor: Supervisor, clock: VirtualClock, way: str
    ) -> None:
        """
        A held session ends `stall_timeout` after the last touch or the youngest block's entry.
        """
        body = asyncio.create_task(
            inside(getattr(supervisor, way)("a", stall_timeout=10), asyncio.Event())
        )
        await clock.advance(9)
        supervisor["a"].touch()
        await clock.advance(9)
        async with supervisor.attach("a") as session:
            assert session.expires_in == 10
        assert session.expires_in == 10
        assert await body == "closed: stalled"
        assert in_time(clock, 28, 10)

    async def test_counts_from_the_entry_and_not_from_the_wait_for_it(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A block that waited for room is used from its entry on, not from when it began to wait.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="wait")
        first = await supervisor.open("first")
        asyncio.get_running_loop().call_at(8, first.close_soon)
        async with supervisor.session("a", stall_timeout=5) as session:
            assert session.last_used == session.opened_at == 8
            assert session.deadline == 13

    async def test_goes_for_ever_without_a_limit(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        Held without a limit a session has no deadline and no queue entry, and counts as unbounded.
        """
        async with supervisor.attach("a") as session:
            assert session.deadline is session.expires_in is None
            statistics = supervisor.statistics()
            assert (statistics.unbounded, statistics.queued, statistics.held) == (1, 0, 1)
            supervisor._check()
            await clock.advance(10_000_000)
        statistics = supervisor.statistics()
        assert (statistics.unbounded, statistics.queued, statistics.idle) == (0, 1, 1)

    @pytest.mark.parametrize("limit", [{"max_age": 60}, {"stall_timeout": 60}])
    async def test_is_queued_once_with_a_limit(
        self, supervisor: Supervisor, limit: dict[str, Any]
    ) -> None:
        """
        A held session with a limit has exactly one queue entry, and none after its end.
        """
        async with supervisor.session("a", **limit), supervisor.attach("a"):
            statistics = supervisor.statistics()
            assert (statistics.unbounded, statistics.queued) == (0, 1)
            supervisor._check()
        assert supervisor.statistics().queued == 0
