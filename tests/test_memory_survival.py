from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import psutil
import pytest

from sessionstate import (
    MemoryGuard,
    MemoryReport,
    Supervisor,
    SupervisorClosed,
    current_supervisor,
)
from tests.machine import MIB, Machine, guard_of, opened

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor


NO_USE = (
    "resident memory is 100 MiB, which should be below 80 MiB, and it does not fall although 21 "
    "sessions were shed: it is not theirs, or kept for new ones; shedding goes on if it grows"
)


@pytest.fixture
async def machine(supervisor: Supervisor) -> Machine:
    """
    Give a machine of which the sessions take 1 MiB each and the program nothing.
    """
    return Machine(supervisor)


@pytest.fixture
def trims(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """
    Give a list that tells how often the heap was trimmed, which does nothing here.
    """
    done: list[str] = []
    monkeypatch.setattr("sessionstate._memory.heap_trimmer", lambda: lambda: done.append("trim"))
    return done


class TestFutility:
    async def test_memory_that_does_not_fall(
        self,
        supervisor: Supervisor,
        machine: Machine,
        clock: VirtualClock,
        trims: list[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """
        A guard does not empty the server when memory does not fall, and says why it waits.
        """
        machine.kept = 100 * MIB
        await opened(supervisor, 100, clock)
        async with guard_of(machine) as guard:
            await clock.advance(100)
            assert (len(supervisor), trims) == (79, ["trim"])
            assert [record.getMessage() for record in caplog.records] == [NO_USE]
            assert guard.last_report == MemoryReport(
                guard.last_report.begun_at, 100 * MIB, 100 * MIB, 21, over=False
            )

    @pytest.mark.parametrize("max_closing", [2, 20])
    async def test_memory_that_does_not_fall_while_clean_ups_are_crowded(
        self,
        start_supervisor: StartSupervisor,
        clock: VirtualClock,
        trims: list[str],
        max_closing: int,
    ) -> None:
        """
        A guard that may not shed all at once does not empty the server either.
        """
        supervisor = await start_supervisor(max_closing=max_closing)
        await opened(supervisor, 100, clock)
        for session in supervisor.values():
            session.push_async_callback(asyncio.sleep, 0.1)
        machine = Machine(supervisor)
        machine.kept = 100 * MIB
        async with guard_of(machine):
            await clock.advance(100)
        assert (len(supervisor), trims) == (100 - max_closing, ["trim"])

    async def test_memory_that_falls_in_small_steps(
        self, start_supervisor: StartSupervisor, clock: VirtualClock, trims: list[str]
    ) -> None:
        """
        What went is measured against its own share of the excess, however little max_closing lets.
        """
        supervisor = await start_supervisor(max_closing=1)
        await opened(supervisor, 100, clock)
        for session in supervisor.values():
            session.push_async_callback(asyncio.sleep, 0.1)
        async with guard_of(Machine(supervisor), low=50 * MIB):
            await clock.advance(100)
        assert (len(supervisor), trims) == (49, [])

    async def test_crowded_by_others(
        self, start_supervisor: StartSupervisor, clock: VirtualClock, trims: list[str]
    ) -> None:
        """
        A look at which none could go does not tell that it is of no use.
        """
        supervisor = await start_supervisor(max_closing=1)
        await opened(supervisor, 100, clock)
        other = await supervisor.open("other")
        other.push_async_callback(asyncio.sleep, 3)
        other.close_soon()
        machine = Machine(supervisor)
        async with guard_of(machine):
            await clock.advance(2.5)
            machine.base = MIB // 2
            assert len(supervisor) == 100
            await clock.advance(100)
        assert (len(supervisor), trims) == (79, [])

    async def test_memory_that_grows(
        self, supervisor: Supervisor, machine: Machine, clock: VirtualClock, trims: list[str]
    ) -> None:
        """
        When it grows by an eighth of what is between the marks, more sessions go.
        """
        machine.kept = 100 * MIB
        await opened(supervisor, 100, clock)
        async with guard_of(machine):
            await clock.advance(10)
            machine.kept = 102 * MIB
            await clock.advance(10)
            assert len(supervisor) == 79
            machine.kept = 103 * MIB
            await clock.advance(10)
            assert len(supervisor) == 61
        assert len(trims) == 2

    async def test_memory_that_falls_late(
        self, supervisor: Supervisor, machine: Machine, clock: VirtualClock, trims: list[str]
    ) -> None:
        """
        When it falls later, by itself, shedding goes on from there.
        """
        machine.kept = 100 * MIB
        await opened(supervisor, 100, clock)
        async with guard_of(machine) as guard:
            await clock.advance(10)
            machine.kept = 99 * MIB  # by less than a 16th of what is too much
            await clock.advance(10)
            assert len(supervisor) == 79
            machine.kept = 90 * MIB
            await clock.advance(1)
            assert len(supervisor) == 70
            machine.kept = 95 * MIB  # it grows, but not to the high mark
            await clock.advance(10)
            assert len(supervisor) == 70
            machine.kept = 0
            await clock.advance(1)
            assert guard.last_report is not None
            assert guard.last_report.over

    @pytest.mark.parametrize("enough", [True, False])
    async def test_trimming(
        self,
        supervisor: Supervisor,
        machine: Machine,
        clock: VirtualClock,
        monkeypatch: pytest.MonkeyPatch,
        enough: bool,
    ) -> None:
        """
        What the heap only kept is given back, and no more sessions go than are too many.
        """

        def trim() -> None:
            machine.kept = 0 if enough else 85 * MIB

        monkeypatch.setattr("sessionstate._memory.heap_trimmer", lambda: trim)
        machine.kept = 100 * MIB
        await opened(supervisor, 100, clock)
        async with guard_of(machine) as guard:
            await clock.advance(2)
            assert len(supervisor) == (79 if enough else 74)
            machine.kept = 0
            await clock.advance(1)
            assert guard.last_report is not None
            assert guard.last_report.over


class TestSurvival:
    async def test_bad_readings(
        self,
        supervisor: Supervisor,
        machine: Machine,
        clock: VirtualClock,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """
        A reading that fails is logged once in a row and counted, and the next look comes.
        """
        failing = True

        def resident() -> int:
            if failing:
                raise psutil.AccessDenied
            return machine()

        await opened(supervisor, 100, clock)
        async with guard_of(machine, resident=resident):
            await clock.advance(3)
            assert supervisor.statistics().expiry_errors == 3
            assert len(caplog.records) == 1
            failing = False
            await clock.advance(1)
            assert len(supervisor) == 79
            failing = True
            await clock.advance(1)
        failures = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert [each.getMessage() for each in failures] == [
            "the memory guard failed, and tries again until it does not"
        ] * 2

    async def test_fatal_error(
        self, supervisor: Supervisor, machine: Machine, clock: VirtualClock
    ) -> None:
        """
        A KeyboardInterrupt of a clean-up goes through, and the guard goes on.
        """

        def interrupt(_: Supervisor) -> bool:
            raise KeyboardInterrupt

        async with guard_of(machine) as guard:
            guard._handle.cancel()
            with pytest.raises(KeyboardInterrupt):
                guard._run(interrupt)
            await clock.advance(1)
        assert machine.reads == 1

    async def test_supervisor_is_left(self, machine: Machine, clock: VirtualClock) -> None:
        """
        A guard is armed as long as its block is, and leaves no timer.
        """
        guard = guard_of(machine)
        async with guard:
            await clock.advance(2)
        await clock.advance(5)
        assert machine.reads == 2
        async with guard:
            await clock.advance(1)
        assert machine.reads == 3

    async def test_given_to_a_supervisor(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A supervisor starts the guard that it is given, and stops it when it is left.
        """
        reads: list[float] = []

        def resident() -> int:
            reads.append(clock.now)
            return 0

        guard = MemoryGuard(high=0.8, low=0.7, resident=resident)
        async with Supervisor(memory_guard=guard):
            await clock.advance(2)
            with pytest.raises(RuntimeError, match="make one for each supervisor"):
                Supervisor(default=False, memory_guard=guard)
        await clock.advance(5)
        assert reads == [1, 2]
        with pytest.raises(TypeError, match=r"not 0.8: write memory_guard=MemoryGuard\(high="):
            Supervisor(memory_guard=0.8)

    async def test_supervisor_is_left_first(
        self, machine: Machine, clock: VirtualClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        A guard whose supervisor is left before it is stops by itself.
        """
        supervisor = Supervisor(default=False)
        await supervisor.__aenter__()
        machine.kept = 100 * MIB
        async with guard_of(machine, supervisor=supervisor) as guard:
            await supervisor.__aexit__(None, None, None)
            await clock.advance(5)
            assert machine.reads == 0
            assert "stopped" in repr(guard)
        assert not caplog.records

    async def test_that_cannot_start(
        self, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A guard that cannot start keeps its supervisor from starting, which may be tried again.
        """

        def no_proc() -> None:
            raise psutil.NoSuchProcess(1)

        supervisor = Supervisor(memory_guard=MemoryGuard(high=0.8, low=0.7))
        with monkeypatch.context() as patched:
            patched.setattr("sessionstate._memory.resident_memory", no_proc)
            with pytest.raises(psutil.NoSuchProcess):
                await supervisor.__aenter__()
        async with Supervisor():
            pass
        async with supervisor as entered:
            assert current_supervisor() is entered
            await clock.advance(2)

    async def test_of_a_second_default_supervisor(
        self, supervisor: Supervisor, clock: VirtualClock, machine: Machine
    ) -> None:
        """
        A supervisor that is refused as the second default one leaves nothing started.
        """
        guard = guard_of(machine)
        other = Supervisor(memory_guard=guard)
        timers = clock._loop().timers
        with pytest.raises(RuntimeError, match="has a default supervisor already"):
            await other.__aenter__()
        assert (clock._loop().timers, "stopped" in repr(guard)) == (timers, True)
        assert current_supervisor() is supervisor
        await clock.advance(5)
        assert machine.reads == 0
        await supervisor.__aexit__(None, None, None)
        async with other:
            await clock.advance(1)
        assert machine.reads == 1

    async def test_of_a_supervisor_that_cannot_be_made(self, machine: Machine) -> None:
        """
        A guard that was given to what is no supervisor, for another error, is free for the next.
        """
        guard = guard_of(machine)
        with pytest.raises(ValueError, match="max_closing must be at least 1"):
            Supervisor(memory_guard=guard, max_closing=0)
        Supervisor(memory_guard=guard)

    async def test_wrong_place(
        self, supervisor: Supervisor, start_supervisor: StartSupervisor, machine: Machine
    ) -> None:
        """
        A guard is for one supervisor, which runs, and is started once.
        """
        other = await start_supervisor(default=False, name="other")
        with pytest.raises(SupervisorClosed, match="write 'async with supervisor:'"):
            await guard_of(machine, supervisor=Supervisor(default=False)).__aenter__()
        with pytest.raises(RuntimeError, match="make one for each supervisor"):
            guard_of(machine, supervisor=other)._start(supervisor)
        guard = guard_of(machine, supervisor=other)
        async with guard:
            assert "'other'" in repr(guard)
            with pytest.raises(RuntimeError, match="start it once"):
                await guard.__aenter__()
