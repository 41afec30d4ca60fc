"""
Who comes in when there is no room.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import (
    CloseReason,
    Session,
    SessionMap,
    Supervisor,
    SupervisorClosed,
    SupervisorFull,
)
from tests.test_lifecycle import inside

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor


async def slowly_closing(supervisor: Supervisor, id: str, seconds: float = 1) -> Session:
    """
    Open a session whose clean-up takes *seconds*.
    """
    session = await supervisor.open(id)
    session.push_async_callback(asyncio.sleep, seconds)
    return session


def soon(coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """
    Begin *coro* in a task of its own.
    """
    return asyncio.create_task(coro)


async def ended(task: asyncio.Task[Any]) -> None:
    """
    Cancel *task* and wait for it.
    """
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


class TestEvict:
    async def test_takes_the_one_idle_longest(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        When full, the session idle longest makes room, whatever its own timeout is.
        """
        supervisor = await start_supervisor(max_sessions=3)
        for id, timeout in [("long", 5000), ("short", 50), ("never", None)]:
            await supervisor.open(id, idle_timeout=timeout)
            await clock.advance(1)
        supervisor["long"].touch()
        victim = supervisor["short"]
        await supervisor.open("new")
        assert victim.close_reason is CloseReason.EVICTED
        assert set(supervisor) == {"long", "never", "new"}
        supervisor._check()

    async def test_never_takes_a_held_one(self, start_supervisor: StartSupervisor) -> None:
        """
        With all held, an opening is `SupervisorFull`, is counted, and leaves nothing behind.
        """
        supervisor = await start_supervisor(max_sessions=2)
        async with supervisor.session("a", max_age=50), supervisor.attach("b"):
            with pytest.raises(
                SupervisorFull, match="2 live sessions of at most 2, each of them is held"
            ):
                async with supervisor.session("c"):
                    pass
            assert set(supervisor) == {"a", "b"}
            assert supervisor.statistics().refused == 1
            async with supervisor.attach("a"):
                pass

    async def test_looks_at_256_at_most(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        The one idle longest is sought among the first 256 in the order of their deadlines.
        """
        supervisor = await start_supervisor(max_sessions=400, idle_timeout=5000)
        oldest = await supervisor.open("oldest", idle_timeout=None)
        await clock.advance(1)
        first = await supervisor.open("first")
        for number in range(398):
            await supervisor.open(str(number))
        await supervisor.open("new")
        assert oldest.close_reason is None
        assert first.close_reason is CloseReason.EVICTED

    @pytest.mark.parametrize("when_full", ["evict", "refuse", "wait"])
    @pytest.mark.parametrize("held", [True, False])
    @pytest.mark.parametrize("late", [0.5, 10])
    async def test_expired_ones_are_taken_first(
        self, start_supervisor: StartSupervisor, when_full: str, held: bool, late: float
    ) -> None:
        """
        A session that is due makes room under each policy, even between its deadline and its tick.
        """
        now = 0.0
        supervisor = await start_supervisor(max_sessions=2, when_full=when_full, clock=lambda: now)
        other = await supervisor.open("other", idle_timeout=5000)
        leave = asyncio.Event()
        if held:
            body = soon(inside(supervisor.session("due", stall_timeout=901), leave))
            await asyncio.sleep(0)
            due = supervisor["due"]
            await asyncio.sleep(0)
        else:
            due = await supervisor.open("due", idle_timeout=901)
        now = 901 + late
        await asyncio.wait_for(supervisor.open("new"), 1)
        assert other.close_reason is None
        assert due.close_reason is (CloseReason.STALLED if held else CloseReason.IDLE)
        if held:
            assert await body == "closed: stalled"

    async def test_looks_past_what_was_touched(self, start_supervisor: StartSupervisor) -> None:
        """
        A session that was touched since it was queued is not due, and not ended to make room.
        """
        now = 0.0
        supervisor = await start_supervisor(max_sessions=2, idle_timeout=10, clock=lambda: now)
        due, touched = await supervisor.open("due"), await supervisor.open("touched")
        now = 9.0
        touched.touch()
        now = 11.0
        await supervisor.open("new")
        assert (touched.close_reason, due.close_reason) == (None, CloseReason.IDLE)
        supervisor._check()

    @pytest.mark.parametrize("adopted", ["b", "x"])
    async def test_survives_a_clean_up_that_adopts(
        self, start_supervisor: StartSupervisor, adopted: str
    ) -> None:
        """
        A clean-up that opens a session in the place it leaves neither overshoots nor doubles an id.
        """
        supervisor = await start_supervisor(max_sessions=1)
        adopting = SessionMap[int]("m", adopt=True)
        session = await supervisor.open("a")
        session.callback(adopting.__setitem__, adopted, 1)
        await supervisor.open("b")
        assert list(supervisor) == ["b"]
        supervisor._check()

    async def test_adopts_what_a_clean_up_adopted(self, start_supervisor: StartSupervisor) -> None:
        """
        A write whose eviction's clean-up adopted the very id goes into that session.
        """
        supervisor = await start_supervisor(max_sessions=1)
        adopting = SessionMap[int]("m", adopt=True)
        session = await supervisor.open("a")
        session.callback(adopting.__setitem__, "b", 1)
        adopting["b"] = 2
        assert dict(adopting) == {"b": 2}
        assert supervisor.statistics().opened == 2
        supervisor._check()


class TestRefuse:
    async def test_raises_at_once(self, start_supervisor: StartSupervisor) -> None:
        """
        With `refuse` a full supervisor raises `SupervisorFull` though others are idle.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="refuse")
        await supervisor.open("a")
        for enter in (supervisor.open("b"), supervisor.attach("b").__aenter__()):
            with pytest.raises(SupervisorFull, match="it refuses"):
                await enter
        assert supervisor.statistics().refused == 2

    async def test_closing_ones_do_not_count(self, start_supervisor: StartSupervisor) -> None:
        """
        `max_sessions` counts live sessions, not those that are closing.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="refuse")
        (await slowly_closing(supervisor, "a")).close_soon()
        await supervisor.open("b")
        assert supervisor.statistics().closing == 1


class TestWait:
    async def test_lets_in_who_came_first(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Openings wait for room and come in, one for each that ends, in the order of their coming.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="wait")
        await supervisor.open("first")
        waiting = [soon(supervisor.open(id)) for id in "abc"]
        await clock.advance(100)
        assert supervisor.statistics().waiting == 3
        for before, id in [("first", "a"), ("a", "b"), ("b", "c")]:
            supervisor.close_soon(before)
            await clock.settle()
            assert list(supervisor) == [id]
        await asyncio.gather(*waiting)

    async def test_nobody_slips_past(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Who comes when room has come free, but others wait for it, waits behind them.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="wait")
        await supervisor.open("first")
        waiting = soon(supervisor.open("a"))
        await clock.settle()
        supervisor.close_soon("first")
        late = soon(supervisor.open("b"))
        await clock.settle()
        assert list(supervisor) == ["a"]
        await ended(late)
        await waiting

    async def test_promised_room_counts(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        An adopting write cannot take the place that was promised to who waits, and does not wait.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="wait")
        await supervisor.open("first")
        waiting = soon(supervisor.open("a"))
        await clock.settle()
        supervisor.close_soon("first")
        with pytest.raises(SupervisorFull, match="a write cannot wait"):
            SessionMap[int]("m", adopt=True)["x"] = 1
        assert (await waiting).id == "a"

    async def test_ends_in_time(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        An opening waits for `open_timeout` at most, and then is refused; nothing of it is left.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="wait", open_timeout=5)
        await supervisor.open("first")
        with pytest.raises(SupervisorFull, match="within open_timeout=5"):
            await supervisor.open("a")
        assert clock.now == 5
        waiting = soon(supervisor.open("b"))
        await clock.advance(4)
        supervisor.close_soon("first")
        assert (await waiting).id == "b"
        assert supervisor.statistics().waiting == 0

    @pytest.mark.parametrize("let_in", [True, False])
    async def test_a_cancelled_one_gives_its_place_on(
        self, start_supervisor: StartSupervisor, clock: VirtualClock, let_in: bool
    ) -> None:
        """
        Who is cancelled while waiting, or let in and not running yet, leaves the place to the next.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="wait")
        await supervisor.open("first")
        one, two = soon(supervisor.open("a")), soon(supervisor.open("b"))
        await clock.settle()
        if let_in:
            supervisor.close_soon("first")
            one.cancel()
        else:
            one.cancel()
            supervisor.close_soon("first")
        assert (await two).id == "b"
        assert one.cancelled()
        supervisor.close_soon("b")
        assert (await supervisor.open("c")).id == "c"

    async def test_a_time_out_with_the_room_loses_nothing(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Room that comes free as the patience ends goes to somebody, and none is lost.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="wait", open_timeout=5)
        await supervisor.open("first")
        waiting = soon(supervisor.open("a"))
        await clock.settle()
        asyncio.get_running_loop().call_at(5 - 1e-10, supervisor.close_soon, "first")
        assert (await waiting).id == "a"
        supervisor.close_soon("a")
        assert (await supervisor.open("b")).id == "b"

    async def test_finds_who_was_opened_meanwhile(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Two who wait with the same id share one session, and the place not needed goes on.
        """
        supervisor = await start_supervisor(max_sessions=2, when_full="wait")
        await supervisor.open("first")
        await supervisor.open("second")
        waiting = [soon(supervisor.open(id)) for id in "aab"]
        await clock.settle()
        supervisor.close_soon("first")
        supervisor.close_soon("second")
        one, same, other = await asyncio.gather(*waiting)
        assert one is same
        assert list(supervisor) == ["a", "b"]
        assert other.id == "b"

    @pytest.mark.parametrize("let_in", [True, False])
    async def test_ends_with_the_supervisor(self, clock: VirtualClock, let_in: bool) -> None:
        """
        Opening during shutdown is `SupervisorClosed`, for those who wait for room too.
        """
        async with Supervisor(max_sessions=1, when_full="wait") as supervisor:
            await supervisor.open("first")
            waiting, gone = soon(supervisor.open("a")), soon(supervisor.open("b"))
            await clock.settle()
            if let_in:
                supervisor.close_soon("first")
            gone.cancel()
        with pytest.raises(SupervisorClosed):
            await waiting
        assert gone.cancelled()
        assert len(supervisor) == 0

    @pytest.mark.parametrize("when_full", ["evict", "refuse", "wait"])
    async def test_concurrent_openings_cannot_overshoot(
        self, start_supervisor: StartSupervisor, clock: VirtualClock, when_full: str
    ) -> None:
        """
        Opening counts as soon as it begins, hooks included.
        """
        supervisor = await start_supervisor(max_sessions=5, when_full=when_full, open_timeout=50)
        most = 0

        @supervisor.on_open
        async def slow(session: Session) -> None:
            nonlocal most
            most = max(most, len(supervisor))
            await asyncio.sleep(1)

        tasks = [soon(supervisor.open(str(number))) for number in range(20)]
        await clock.advance(60)
        assert most == len(supervisor) == 5
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(each, SupervisorFull) for each in results) == 15
