from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING

import pytest

from sessionstate import (
    CloseReason,
    MemoryGuard,
    MemoryReport,
    Supervisor,
    attach,
)
from tests.machine import MIB, Machine, guard_of, opened

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor


NOTHING_LEFT = (
    "resident memory is 90 MiB, which should be below 80 MiB, and nothing is left to shed: the 90 "
    "live sessions are all held"
)


@pytest.fixture
async def machine(supervisor: Supervisor) -> Machine:
    """
    Give a machine of which the sessions take 1 MiB each and the program nothing.
    """
    return Machine(supervisor)


class TestShedding:
    async def test_idle_longest_until_low(
        self, supervisor: Supervisor, machine: Machine, clock: VirtualClock
    ) -> None:
        """
        At the high mark the sessions idle longest end as `shed`, until it is below the low mark.
        """
        await opened(supervisor, 100, clock)
        supervisor["0"].touch()
        async with guard_of(machine):
            await clock.advance(1)
        assert list(supervisor) == ["0", *map(str, range(22, 100))]
        assert supervisor.statistics().closed_by_reason[CloseReason.SHED] == 21
        assert CloseReason.SHED.automatic

    async def test_nothing_below_high(
        self, supervisor: Supervisor, machine: Machine, clock: VirtualClock
    ) -> None:
        """
        Below the high mark nothing is shed, and the guard only looks.
        """
        await opened(supervisor, 99, clock)
        async with guard_of(machine) as guard:
            await clock.advance(10)
        assert (len(supervisor), machine.reads) == (99, 10)
        assert guard.last_report is None

    async def test_does_not_flap(
        self, supervisor: Supervisor, machine: Machine, clock: VirtualClock
    ) -> None:
        """
        Once below the low mark, nothing is shed between the marks.
        """
        await opened(supervisor, 100, clock)
        async with guard_of(machine) as guard:
            await clock.advance(1)
            first = guard.last_report
            machine.base = 20 * MIB
            await clock.advance(10)
            assert len(supervisor) == 79
            machine.base = 21 * MIB
            await clock.advance(9)
            assert len(supervisor) == 58
        assert first is not None
        assert guard.last_report is not None
        assert (first.shed, guard.last_report.shed) == (21, 21)

    async def test_never_a_held_one(
        self,
        supervisor: Supervisor,
        machine: Machine,
        clock: VirtualClock,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """
        Held sessions stay, and the guard says once that nothing else is left.
        """
        await opened(supervisor, 10, clock)
        async with AsyncExitStack() as stack:
            for i in range(90):
                await stack.enter_async_context(attach(f"held {i}"))
            async with guard_of(machine) as guard:
                await clock.advance(100)
                assert len(supervisor) == 90
                assert [record.getMessage() for record in caplog.records] == [NOTHING_LEFT]
                assert guard.last_report is not None
                assert not guard.last_report.over
                await stack.aclose()
                await clock.advance(1)
                assert len(supervisor) == 79

    async def test_never_a_parent_of_a_held_one(
        self, supervisor: Supervisor, machine: Machine, clock: VirtualClock
    ) -> None:
        """
        A session whose child is held stays; an idle family goes with its parent.
        """
        parent = await supervisor.open("parent")
        async with parent.child("held"):
            await opened(supervisor, 10, clock)
            async with guard_of(machine, high=12 * MIB, low=3 * MIB):
                await clock.advance(10)
                assert list(supervisor) == ["parent", "held"]
        async with guard_of(machine, high=1 * MIB + 1, low=1 * MIB):
            async with parent.child("idle", linger=100):
                pass
            await clock.advance(1)
        assert len(supervisor) == 0

    async def test_all_held_from_the_start(
        self,
        supervisor: Supervisor,
        machine: Machine,
        clock: VirtualClock,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """
        A guard that never had anything to shed says so, and sheds who becomes idle.
        """
        machine.base = 100 * MIB
        async with attach("a"), guard_of(machine):
            await clock.advance(5)
            assert [record.levelno for record in caplog.records] == [logging.WARNING]
            async with attach("b"):
                await clock.advance(5)
            await clock.advance(1)
            assert list(supervisor) == ["a"]
        assert len(caplog.records) == 1

    async def test_expired_first(
        self, supervisor: Supervisor, machine: Machine, clock: VirtualClock
    ) -> None:
        """
        A session that is due ends for its own reason, before any that is not is shed.
        """
        await opened(supervisor, 10, clock)
        due = supervisor["7"]
        async with guard_of(machine, high=10 * MIB, low=9 * MIB):
            await clock.advance(0.9)
            due.last_used -= 1800  # as if the supervisor's own sweep came late
            await clock.advance(0.1)
        assert due.close_reason is CloseReason.IDLE
        assert supervisor.statistics().closed_by_reason[CloseReason.SHED] == 1

    async def test_too_few_rather_than_too_many(
        self, supervisor: Supervisor, machine: Machine, clock: VirtualClock
    ) -> None:
        """
        Where most memory is not the sessions', each look takes the excess's share of them.
        """
        machine.base, machine.each = 60 * MIB, MIB // 2
        await opened(supervisor, 80, clock)
        live = []
        async with guard_of(machine):
            for _ in range(6):
                await clock.advance(1)
                live.append(len(supervisor))
        assert live == [63, 55, 50, 47, 45, 43]

    async def test_slices(
        self, supervisor: Supervisor, machine: Machine, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        When a slice of time is used up, others get their turn before the next session goes.
        """
        await opened(supervisor, 100, clock)
        supervisor._expiry.work_clock = iter(range(1000)).__next__
        ticks = 0

        def tick() -> None:
            nonlocal ticks
            ticks += len(supervisor) > 79
            asyncio.get_running_loop().call_soon(tick) if len(supervisor) > 79 else None

        async with guard_of(machine):
            asyncio.get_running_loop().call_later(1, tick)
            await clock.advance(1)
        assert len(supervisor) == 79
        assert ticks >= 20

    async def test_max_closing(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        No more are shed at once than may be closing, and those that are closing count as gone.
        """
        supervisor = await start_supervisor(max_closing=5)
        machine = Machine(supervisor)
        await opened(supervisor, 100, clock)
        done = asyncio.Event()
        for s in supervisor.values():
            s.push_async_callback(done.wait)
        async with guard_of(machine):
            await clock.advance(3)
            assert (len(supervisor), len(supervisor._closing)) == (95, 5)
            done.set()
            await clock.advance(10)
            assert len(supervisor) == 79

    async def test_slow_clean_up_counts_as_gone(
        self,
        supervisor: Supervisor,
        machine: Machine,
        clock: VirtualClock,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """
        What is still closing holds its memory, for which no other session has to go.
        """
        await opened(supervisor, 100, clock)
        done = asyncio.Event()
        for s in supervisor.values():
            s.push_async_callback(done.wait)
        async with guard_of(machine):
            await clock.advance(3)
            assert (len(supervisor), len(supervisor._closing)) == (79, 21)
            assert not caplog.records
            done.set()
            await clock.advance(1)
        assert len(supervisor) == 79

    async def test_clean_up_that_stops_the_guard(
        self, supervisor: Supervisor, machine: Machine, clock: VirtualClock
    ) -> None:
        """
        A guard that a clean-up stops looks no more.
        """
        await opened(supervisor, 100, clock)
        async with guard_of(machine) as guard:
            supervisor["0"].callback(guard._stop)
            await clock.advance(10)
            reads = machine.reads
            await clock.advance(10)
        assert machine.reads == reads

    async def test_supervisor_left_by_a_clean_up(self, clock: VirtualClock) -> None:
        """
        From when a clean-up leaves the supervisor, nothing is shed: the rest ends with all others.
        """
        guard = MemoryGuard(high=100 * MIB, low=80 * MIB, resident=lambda: 200 * MIB)
        reasons: list[CloseReason] = []
        async with Supervisor(memory_guard=guard) as other:
            other.on_close(lambda _, reason: reasons.append(reason))
            await opened(other, 10, clock)
            other["1"].callback(other._leave)
            await clock.advance(5)
        assert reasons == [CloseReason.SHED] * 2 + [CloseReason.SHUTDOWN] * 8


class TestReport:
    async def test_what_was_freed(
        self,
        supervisor: Supervisor,
        machine: Machine,
        clock: VirtualClock,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """
        A guard reports in the log and as a value when memory is no longer short.
        """
        await opened(supervisor, 100, clock)
        begun = clock.now + 1
        async with guard_of(machine) as guard:
            await clock.advance(1)
        report = guard.last_report
        assert report == MemoryReport(begun, 100 * MIB, 79 * MIB, 21, over=True)
        assert [record.getMessage() for record in caplog.records] == [
            "resident memory fell from 100 MiB to 79 MiB: 21 sessions were shed"
        ]
        with pytest.raises(FrozenInstanceError):
            report.shed = 0  # type: ignore[misc, union-attr]

    async def test_repr(self, supervisor: Supervisor, machine: Machine) -> None:
        """
        A guard says in one line whom it watches.
        """
        guard = guard_of(machine)
        assert repr(guard) == "<MemoryGuard stopped, high 100 MiB, low 80 MiB>"
        async with guard:
            assert repr(guard) == "<MemoryGuard for 'sessionstate', high 100 MiB, low 80 MiB>"
