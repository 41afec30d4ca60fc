from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import CloseReason, SessionMap, Supervisor, SupervisorFull

pytest.importorskip("opentelemetry.sdk")

from sessionstate.observability import _metrics, _reading
from sessionstate.observability._durations import CLOSING, LATENESS, LIFETIME
from sessionstate.observability.otel import instrument
from tests.observability.telling import Telling, told

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

__all__ = ["told"]  # a fixture

pytestmark = pytest.mark.virtual_time


class TestMetrics:
    async def test_sessions(
        self, start_supervisor: StartSupervisor, told: Telling, clock: VirtualClock
    ) -> None:
        """
        Sessions are told by state, openings and ends by their number, and ends by reason.
        """
        supervisor = await start_supervisor(max_sessions=3, when_full="refuse")
        instrument(supervisor, meter_provider=told.provider, spans=False)
        s = await supervisor.open("closing")
        s.push_async_callback(asyncio.sleep, 1)
        supervisor.close_soon("closing")
        await supervisor.open("idle")
        async with supervisor.session("held"), supervisor.session("other"):
            with pytest.raises(SupervisorFull):
                await supervisor.open("refused")
            supervisor.count_request(7)
            assert told.points("sessions") == {"held": 2, "idle": 1, "closing": 1}
            assert told.points("sessions.unbounded") == {"": 2}
            assert told.points("openings.waiting") == {"": 0}
        assert told.points("sessions.opened") == {"": 4}
        closed = dict.fromkeys(CloseReason, 0) | {"deleted": 1, "completed": 2}
        assert told.points("sessions.closed") == closed
        assert told.points("openings.refused") == {"": 1}
        assert told.points("requests") == {"": 7}
        await clock.advance(1)

    async def test_evictions(self, supervisor: Supervisor, told: Telling) -> None:
        """
        Evictions are told by what they were for: room for another session, or memory.
        """
        instrument(supervisor, meter_provider=told.provider, spans=False)
        for reason in ("evicted", "shed", "shed", "idle"):
            await supervisor.open("a")
            await supervisor.close("a", reason=CloseReason(reason))
        assert told.points("evictions") == {"room": 1, "memory": 2}

    async def test_maps_and_resources(
        self, supervisor: Supervisor, told: Telling, clock: VirtualClock
    ) -> None:
        """
        Maps are told by name with their orphans, resources by kind; what is gone goes to 0.
        """
        instrument(supervisor, meter_provider=told.provider, spans=False)
        assert told.points("map.entries") == told.points("sessions.orphaned") == {}
        agents = SessionMap[int]("agents", supervisor=supervisor)
        await asyncio.create_task(supervisor.session("a").__aenter__())
        for id in ("b", "c"):
            (await supervisor.open(id)).callback(print)
            agents[id] = 1
        agents["a"] = 1
        await clock.advance(20)
        assert told.points("map.entries") == {"agents": 3}
        assert told.points("map.orphans") == {"agents": 1}
        assert told.points("sessions.orphaned") == {"": 1}
        assert told.points("resources") == {"callback": 2}
        agents.clear()
        await supervisor.close("b")
        await supervisor.close("c")
        await clock.advance(20)
        assert told.points("map.entries") == {"agents": 0}
        assert told.points("resources") == {"callback": 0}
        await supervisor.close("a")

    async def test_leak_report(
        self,
        supervisor: Supervisor,
        told: Telling,
        clock: VirtualClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """
        What the leak report judges to leak is told, and how fast maps grow; not at every scrape.
        """
        instrument(supervisor, meter_provider=told.provider, spans=False)
        agents = SessionMap[int]("agents", supervisor=supervisor)
        await clock.advance(1)
        assert told.points("leaks") == {"": 0}
        for number in range(40):
            block = supervisor.session(str(number))
            await asyncio.create_task(block.__aenter__())
            agents[str(number)] = 1
            supervisor.count_request(100)
            await clock.advance(10)
        assert told.points("leaks") == {"": 0}
        monkeypatch.setattr(_reading, "REPORT", 0)
        (reader,) = _metrics._meters[told.provider].readers._readers.values()
        reader._report_due = 0
        told.points("leaks")
        await clock.advance(1)  # it is made a row at a time
        assert told.points("leaks")[""] == len(supervisor.leak_report().leaks) > 0
        assert told.points("leak.slope") == {"agents": pytest.approx(10)}
        for number in range(40):
            await supervisor.close(str(number))

    async def test_many_maps(
        self, supervisor: Supervisor, told: Telling, clock: VirtualClock
    ) -> None:
        """
        However many maps there are, the first ones have series, and the others one together.
        """
        maps = [SessionMap[int](f"map {n}", supervisor=supervisor) for n in range(5)]
        await supervisor.open("a")
        maps[0]["a"] = maps[1]["a"] = 1
        instrument(supervisor, meter_provider=told.provider, spans=False, max_names=2)
        await clock.advance(20)
        assert set(told.points("map.entries")) == {"map 0", "map 1"}
        await supervisor.open("b")
        for each in maps[1:]:
            each["b"] = 1
        await clock.advance(20)
        assert told.points("map.entries") == {"map 0": 1, "map 1": 2, "other": 3}

    async def test_durations(
        self, supervisor: Supervisor, told: Telling, clock: VirtualClock
    ) -> None:
        """
        Lifetimes, clean-ups and lateness are histograms in seconds, with bounds that suit them.
        """
        instrument(supervisor, meter_provider=told.provider, spans=False)
        s = await supervisor.open("a")
        s.push_async_callback(asyncio.sleep, 0.4)
        await clock.advance(40)
        await supervisor.close("a")
        await supervisor.open("b", idle_timeout=None, max_age=100)
        await clock.advance(110)
        lifetime, closing = told.times("session.lifetime"), told.times("close.duration")
        late = told.times("deadline.lateness")
        assert (lifetime[0], lifetime[3]) == (2, LIFETIME.bounds)
        assert lifetime[2][3:5] == [1, 1]
        assert lifetime[1] == pytest.approx(140 + late[1])
        assert (closing[0], closing[1], closing[3]) == (2, pytest.approx(0.4), CLOSING.bounds)
        assert (late[0], late[3]) == (1, LATENESS.bounds)
        assert 0 <= late[1] <= 100 / 256

    async def test_end_that_was_asked_for_is_not_late(
        self, supervisor: Supervisor, told: Telling, clock: VirtualClock
    ) -> None:
        """
        Lateness is that of ends by a deadline alone.
        """
        instrument(supervisor, meter_provider=told.provider, spans=False)
        await supervisor.open("a", idle_timeout=5)
        await clock.advance(1)
        await supervisor.close("a")
        assert "sessionstate.deadline.lateness" not in told.metrics()

    async def test_clean_up_errors(self, supervisor: Supervisor, told: Telling) -> None:
        """
        Errors of clean-up steps are counted; what never happened is told as 0.
        """
        instrument(supervisor, meter_provider=told.provider, spans=False)
        s = await supervisor.open("a")
        s.callback(int, "x")
        with pytest.raises(ExceptionGroup):
            await supervisor.close("a")
        assert told.points("close.errors") == {"": 1}
        for name in ("close.stuck", "close.abandoned", "expiry.errors", "events.dropped"):
            assert told.points(name) == {"": 0}

    async def test_units_and_memory(self, supervisor: Supervisor, told: Telling) -> None:
        """
        Every metric says in which unit it is and what it means; memory is the process's, in bytes.
        """
        instrument(supervisor, meter_provider=told.provider, spans=False)
        found = told.metrics()
        assert found["sessionstate.memory.rss"].unit == "By"
        (memory,) = found["sessionstate.memory.rss"].data.data_points
        assert memory.value > 2**20
        assert not memory.attributes
        for metric in found.values():
            assert metric.unit in ("By", "s") or metric.unit.startswith("{")
            assert metric.description.endswith(".")

    async def test_no_id_is_an_attribute(
        self, supervisor: Supervisor, told: Telling, clock: VirtualClock
    ) -> None:
        """
        The number of series does not depend on the number of sessions.
        """
        instrument(supervisor, meter_provider=told.provider, spans=False)

        async def points() -> list[dict[str, Any]]:
            await clock.advance(20)
            found = told.metrics().values()
            return [dict(point.attributes) for m in found for point in m.data.data_points]

        await supervisor.open("3f2c9a7e")
        await points()
        before = await points()
        for number in range(50):
            await supervisor.open(f"3f2c9a7e-{number}")
        after = await points()
        assert len(after) == len(before)
        assert "3f2c9a7e" not in str(after)
