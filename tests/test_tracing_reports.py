"""
Orphans are reported now and then, each place by itself, while others get their turn.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import Session, Supervisor
from sessionstate import _tracing as tracing
from sessionstate._leaks import GRACE, orphaned
from sessionstate._tracing import EVERY, HOUR, SLICE
from tests.traces import PARANOID, open_here, stop_expiry, traced

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

__all__ = ["traced"]  # a fixture

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def reports(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """
    Give a function that tells what was reported since it was called last.
    """
    caplog.set_level(logging.WARNING, "sessionstate")

    def take() -> list[str]:
        texts = [record.getMessage() for record in caplog.records]
        assert all(record.levelname == "WARNING" for record in caplog.records)
        caplog.clear()
        return texts

    return take


def armed(supervisor: Supervisor) -> asyncio.Handle | None:
    """
    Return the timer of the next look.
    """
    return supervisor._tracer._handle


class TestReports:
    async def test_within_a_minute(
        self, traced: Supervisor, reports: Callable[[], list[str]]
    ) -> None:
        """
        An orphan is reported at the next look, within a minute, with a word to search for.
        """
        stop_expiry(traced)
        s = await open_here(traced, "a")
        s.callback(len, "")
        await asyncio.sleep(EVERY - 1)
        assert reports() == []
        await asyncio.sleep(2)
        (text,) = reports()
        assert text.startswith("SESSIONSTATE-LEAK session 'a' (life 1) is overdue: its deadline ")
        assert text.splitlines()[1].startswith("  by ")
        assert "callback len, from " in text.splitlines()[-2]
        assert text.splitlines()[-1] == "1 such session now"

    async def test_once_an_hour(self, traced: Supervisor, reports: Callable[[], list[str]]) -> None:
        """
        A place is reported once an hour, as long as it has orphans: the oldest, and how many.
        """
        stop_expiry(traced)
        for number in range(3):
            await open_here(traced, f"early-{number}")
        await asyncio.sleep(EVERY + 1)
        (text,) = reports()
        assert "'early-0'" in text
        assert text.splitlines()[-1] == "3 such sessions now"
        for number in range(5):
            await open_here(traced, f"late-{number}")
        await traced["early-0"].aclose()
        await asyncio.sleep(HOUR - EVERY)
        assert reports() == []
        await asyncio.sleep(EVERY)
        (text,) = reports()
        assert "'early-1' (life 2) is overdue: its deadline passed 1 h " in text
        assert text.splitlines()[-1] == "7 such sessions now"
        for session in list(traced.values()):
            await session.aclose()
        await asyncio.sleep(HOUR + EVERY)
        assert reports() == []

    async def test_how_many_are_sampled(
        self, start_supervisor: StartSupervisor, reports: Callable[[], list[str]]
    ) -> None:
        """
        Where not all are sampled, a report says how few are.
        """
        supervisor = await start_supervisor(leak_detection="simple", idle_timeout=10)
        stop_expiry(supervisor)
        for number in range(2):
            supervisor._sample_at = supervisor._number + 1
            await open_here(supervisor, str(number))
        await asyncio.sleep(EVERY + 1)
        assert reports()[0].splitlines()[-1] == "2 such sessions now, 1 in 128 sampled"

    async def test_by_place_and_kind(
        self, traced: Supervisor, reports: Callable[[], list[str]]
    ) -> None:
        """
        Each place, and each kind of orphan there, is reported by itself.
        """
        stop_expiry(traced)
        await open_here(traced, "a")
        await open_here(traced, "b")
        await open_here(traced, "c")
        block = traced.attach("c")
        await asyncio.create_task(block.__aenter__())
        await traced.open("d")
        await asyncio.sleep(EVERY + 1)
        found = [text.removeprefix("SESSIONSTATE-LEAK session ") for text in reports()]
        assert [text.partition(":")[0] for text in found] == [
            "'a' (life 1) is overdue",
            "'c' (life 3) is not left",
            "'d' (life 4) is overdue",
        ]
        await block.__aexit__(None, None, None)

    async def test_one_that_recovers(
        self, traced: Supervisor, reports: Callable[[], list[str]]
    ) -> None:
        """
        What was an orphan and was used again is not counted, until it is one once more.
        """
        stop_expiry(traced)
        s = await open_here(traced, "a")
        await open_here(traced, "b")
        await asyncio.sleep(EVERY + 1)
        assert reports()[0].endswith("\n2 such sessions now")
        s.touch()
        s.extend(HOUR + EVERY)
        await asyncio.sleep(HOUR)
        assert reports()[0].endswith("\n1 such session now")
        await asyncio.sleep(HOUR)
        assert reports()[0].endswith("\n2 such sessions now")

    async def test_the_table_of_places_is_bounded(
        self,
        traced: Supervisor,
        reports: Callable[[], list[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """
        When more places leak than are remembered, the others wait until one was quiet for an hour.
        """
        monkeypatch.setattr(tracing, "SITES", 2)
        stop_expiry(traced)
        await traced.open("a")
        await traced.open("b")
        await traced.open("c")
        await asyncio.sleep(EVERY + 1)
        assert ["'c'" in text for text in reports()] == [False, False]
        await traced["a"].aclose()
        await asyncio.sleep(HOUR - EVERY)
        assert reports() == []
        await asyncio.sleep(2 * EVERY)
        texts = reports()
        assert len(texts) == 2
        assert "'b'" in texts[0]
        assert "'c'" in texts[1]
        assert len(traced._tracer._sites) == 2

    async def test_a_loop_that_stood_still(
        self, traced: Supervisor, clock: VirtualClock, reports: Callable[[], list[str]]
    ) -> None:
        """
        After the loop stood still nobody is accused for 5 s: what is due is about to happen.
        """
        stop_expiry(traced)
        await traced.open("a")
        await asyncio.sleep(EVERY - 1)
        clock.jump(GRACE + 2)
        await asyncio.sleep(GRACE - 1)
        assert reports() == []
        await asyncio.sleep(2)
        assert len(reports()) == 1


class TestLooking:
    async def test_nothing_is_armed_for_nobody(self, traced: Supervisor) -> None:
        """
        The timer runs while there is a record taken, and no longer.
        """
        assert armed(traced) is None
        s = await traced.open("a")
        first = armed(traced)
        assert first is not None
        await traced.open("b")
        assert armed(traced) is first
        await s.aclose()
        await asyncio.sleep(EVERY + 1)
        assert armed(traced) is None

    async def test_in_slices(
        self, start_supervisor: StartSupervisor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Others get their turn while many records are looked at; one that is freed is passed over.
        """
        traced = await start_supervisor(leak_detection=PARANOID, idle_timeout=None)
        for number in range(3 * SLICE):
            await traced.open(str(number))
        looked = [0]
        loop = asyncio.get_running_loop()

        def counting(session: Session, now: float) -> tuple[str, str] | None:
            looked[-1] += 1
            return orphaned(session, now)

        def turn() -> None:
            looked.append(0)
            if len(looked) == 2:
                traced.close_soon(str(3 * SLICE - 1))
            if len(looked) < 10:
                loop.call_soon(turn)

        monkeypatch.setattr(tracing, "orphaned", counting)
        loop.call_later(EVERY, turn)
        await asyncio.sleep(EVERY + 1)
        assert [count for count in looked if count] == [SLICE, SLICE, SLICE - 1]

    async def test_a_look_that_fails(
        self,
        traced: Supervisor,
        loop_errors: list[Any],
        reports: Callable[[], list[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """
        An error in one look reaches the loop's handler, and the next look comes all the same.
        """
        stop_expiry(traced)
        await traced.open("a")
        with monkeypatch.context() as patch:
            patch.setattr(tracing, "orphaned", None)
            await asyncio.sleep(EVERY + 1)
        assert len(loop_errors) == 1
        loop_errors.clear()
        await asyncio.sleep(EVERY)
        assert len(reports()) == 1

    async def test_it_ends_with_the_supervisor(self) -> None:
        """
        Leaving the supervisor leaves no timer behind, and nothing to be told.
        """
        async with Supervisor(leak_detection="paranoid", default=False) as supervisor:
            await supervisor.open("a")
            handle = armed(supervisor)
            assert handle is not None
        assert handle.cancelled()
        assert armed(supervisor) is None
        assert supervisor.leaks() == []

    async def test_the_hour_is_the_clock_s(
        self, start_supervisor: StartSupervisor, reports: Callable[[], list[str]]
    ) -> None:
        """
        Ages and the hour are those of the supervisor's clock.
        """
        ahead = 0.0
        loop = asyncio.get_running_loop()
        traced = await start_supervisor(
            leak_detection=PARANOID, idle_timeout=10, clock=lambda: loop.time() + ahead
        )
        stop_expiry(traced)
        await traced.open("a")
        await asyncio.sleep(EVERY + 1)
        assert len(reports()) == 1
        ahead = HOUR
        await asyncio.sleep(EVERY)
        assert len(reports()) == 1
