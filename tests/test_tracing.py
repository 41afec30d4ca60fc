"""
Sampled sessions: which ones, what their records keep, and that nothing else grows by it.
"""

from __future__ import annotations

import asyncio
import gc
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import LeakDetection, Session, Supervisor
from sessionstate._leaks import VARIABLE
from sessionstate._traces import NO_CODES, opened_by, trace_of, used_at
from sessionstate._tracing import SAMPLED, TRACES
from tests.bodies import LONG
from tests.traces import PARANOID, agents, nothing, sampled

if TYPE_CHECKING:
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time


class TestLevels:
    async def test_disabled(self, supervisor: Supervisor) -> None:
        """
        By default nothing is recorded, nothing is kept ready, and nothing is armed.
        """
        s = await supervisor.open("a")
        assert supervisor._tracer._free == []
        assert supervisor._tracer._handle is None
        assert opened_by(s) == used_at(s) == ()
        assert supervisor.leaks() == []
        assert type(s) is Session
        s.close_soon()
        assert s._slots == {}

    @pytest.mark.parametrize("level", ["simple", "advanced"])
    async def test_one_of_128(self, start_supervisor: StartSupervisor, level: str) -> None:
        """
        Of 12,800 sessions about a hundred are sampled: not every 128th, yet the same on each run.
        """
        runs: list[list[int]] = []
        for _ in range(2):
            supervisor = await start_supervisor(
                leak_detection=level, max_sessions=None, default=False
            )
            for number in range(100 * SAMPLED):
                await supervisor.open(str(number))
            runs.append([each.incarnation for each in supervisor.values() if trace_of(each)])
        numbers = runs[0]
        assert numbers == runs[1]
        assert 80 < len(numbers) < 120
        gaps = {late - early for early, late in pairwise(numbers)}
        assert min(gaps) < SAMPLED // 4
        assert 2 * SAMPLED - SAMPLED // 4 < max(gaps) < 2 * SAMPLED

    async def test_paranoid(self, start_supervisor: StartSupervisor) -> None:
        """
        At the highest level every session is sampled.
        """
        supervisor = await start_supervisor(leak_detection="paranoid")
        sessions = [await supervisor.open(str(number)) for number in range(300)]
        assert all(trace_of(each) for each in sessions)

    @pytest.mark.parametrize("level", list(LeakDetection))
    async def test_by_member(self, start_supervisor: StartSupervisor, level: LeakDetection) -> None:
        """
        A level is given as a member or by its name.
        """
        for given in (level, level.value):
            supervisor = await start_supervisor(leak_detection=given, default=False)
            assert len(supervisor._tracer._free) == TRACES[level]

    @pytest.mark.parametrize("given", ["often", "", "SIMPLE"])
    def test_a_name_that_is_none(self, given: str) -> None:
        """
        Another name is a `ValueError` that lists the levels and recommends one.
        """
        with pytest.raises(
            ValueError,
            match=rf"leak_detection must be disabled, simple, advanced or paranoid, not '{given}': "
            rf"write 'simple' for production",
        ):
            Supervisor(leak_detection=given)

    @pytest.mark.parametrize("given", [True, 1, b"simple"])
    def test_no_name(self, given: Any) -> None:
        """
        What is no text at all is a `TypeError` that shows how to write it.
        """
        with pytest.raises(TypeError, match=rf'such as "simple", not {given!r}'):
            Supervisor(leak_detection=given)

    @pytest.mark.parametrize(
        ("value", "records"), [("simple", 1024), (" Paranoid ", 16_384), ("", 0), ("disabled", 0)]
    )
    def test_environment(self, monkeypatch: pytest.MonkeyPatch, value: str, records: int) -> None:
        """
        What the code leaves open, the environment says; in what case does not matter there.
        """
        monkeypatch.setenv(VARIABLE, value)
        assert len(Supervisor()._tracer._free) == records
        assert len(Supervisor(leak_detection="advanced")._tracer._free) == 1024

    def test_environment_that_says_nonsense(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A variable that names no level is a `ValueError` that names the variable.
        """
        monkeypatch.setenv(VARIABLE, "yes")
        with pytest.raises(ValueError, match=f"the environment variable {VARIABLE} must be .*yes"):
            Supervisor()


class TestRecords:
    @pytest.mark.parametrize("level", ["simple", "advanced", "paranoid"])
    async def test_they_are_freed(self, start_supervisor: StartSupervisor, level: str) -> None:
        """
        However a session ends, its record is free when it is closed, and not before.
        """
        supervisor = await start_supervisor(leak_detection=level, idle_timeout=10)
        for each in ("plain", "callback", "async", "task", "idle", "waited"):
            supervisor._sample_at = supervisor._number + 1
            s = await supervisor.open(each)
            if each == "callback":
                s.callback(nothing)
            elif each == "async":
                s.push_async_callback(asyncio.sleep, 1)
            elif each == "task":
                s.start_soon(asyncio.sleep, LONG)
            waiter = asyncio.create_task(s.wait_closed()) if each == "waited" else None
            await asyncio.sleep(0)
            assert sampled(supervisor) == 1
            if each == "idle":
                await asyncio.sleep(11)
            else:
                s.close_soon()
            if each == "async":
                assert sampled(supervisor) == 1
                await asyncio.sleep(2)
            if waiter is not None:
                await waiter
            await s.wait_closed()
            assert sampled(supervisor) == 0, each
            assert trace_of(s) is None
        assert len(supervisor._tracer._free) == TRACES[LeakDetection(level)]

    async def test_they_pin_nothing(self, start_supervisor: StartSupervisor) -> None:
        """
        A free record keeps neither the session nor the code that it led to.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)
        async with supervisor.session("a") as s:
            s.touch()
            trace = trace_of(s)
        assert trace is not None
        assert trace.session is None
        assert trace._codes == list(NO_CODES)
        assert trace.stack() == ()
        assert trace.accesses == ()
        assert trace.done()

    async def test_none_is_left(
        self, start_supervisor: StartSupervisor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        When all records are taken, sessions are opened without one, and later ones have one again.
        """
        monkeypatch.setitem(TRACES, PARANOID, 2)
        supervisor = await start_supervisor(leak_detection=PARANOID)
        a, b, c = [await supervisor.open(id) for id in "abc"]
        assert [trace_of(each) is not None for each in (a, b, c)] == [True, True, False]
        await a.aclose()
        assert trace_of(await supervisor.open("d")) is not None
        await c.aclose()
        assert len(supervisor._tracer._taken) == 2

    async def test_they_do_not_grow(self, start_supervisor: StartSupervisor) -> None:
        """
        A thousand sampled sessions later there is not an object more than after ten.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)

        async def drive(times: int) -> int:
            for _ in range(times):
                async with supervisor.session("a") as s:
                    s.callback(nothing)
                    agents["a"] = "agent"
            gc.collect()
            return len(gc.get_objects())

        before = await drive(10)
        assert await drive(1000) - before < 10
