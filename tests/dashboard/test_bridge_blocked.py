"""
What another thread is told while the supervisor's loop is blocked, and when it runs again.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate.dashboard import _bridge
from sessionstate.dashboard._bridge import Bridge
from sessionstate.dashboard._probe import Probe
from sessionstate.dashboard._source import NotAnsweringError, Query
from tests.dashboard.bridging import FOR_EVER, PATIENCE, by_hand, elsewhere, probe, threads, update
from tests.dashboard.shapes import check

if TYPE_CHECKING:
    from sessionstate import Supervisor
    from sessionstate.dashboard._source import Overview
    from tests.dashboard.bridging import Elsewhere

__all__ = ["elsewhere", "probe", "threads"]  # fixtures

pytestmark = pytest.mark.real_loop


def stand_still(released: threading.Event) -> None:
    """
    Block the loop until another thread says so.
    """
    assert released.wait(PATIENCE)


async def until(bridge: Bridge, overview: Overview, *, blocked: bool) -> Overview:
    """
    Follow the updates until one says that the loop is blocked, or that it is not.
    """
    while (overview["blocked"] is not None) is not blocked:
        overview = await bridge.overview(overview["number"])
        check(overview, "Overview")
    return overview


class Patient(asyncio.Event):
    """
    What a reader waits for; it tells how often that was begun.
    """

    def __init__(self) -> None:
        super().__init__()
        self.begun = 0
        self.often = threading.Event()

    def clear(self) -> None:
        """
        Begin to wait.
        """
        self.begun += 1
        if self.begun > 3:
            self.often.set()
        super().clear()


class TestBlocked:
    async def test_says_so(
        self,
        probe: Probe,
        supervisor: Supervisor,
        elsewhere: Elsewhere,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """
        While the loop is blocked, updates say so, and where; questions are refused; it recovers.
        """
        monkeypatch.setattr(_bridge, "LATE", 0.3)
        monkeypatch.setattr(_bridge, "PATIENCE", 0.05)
        await supervisor.open("a")
        bridge = Bridge(probe)
        released = threading.Event()

        async def ask() -> tuple[Overview, Overview]:
            try:
                overview = await bridge.overview()
                blocked = await until(bridge, overview, blocked=True)
                again = await bridge.overview(blocked["number"])
                assert again["number"] == blocked["number"]
                whole = await bridge.overview()
                check(whole, "Overview")
                assert "history" in whole
                for question in (
                    bridge.sessions(Query()), bridge.session(1), bridge.close(1, "me"),
                    bridge.report(),
                ):  # fmt: skip
                    with pytest.raises(NotAnsweringError) as caught:
                        await question
                    check(caught.value.blocked, "Blocked")
                    assert caught.value.__cause__ is None
            finally:
                released.set()
            return again, await until(bridge, again, blocked=False)

        asked = elsewhere(ask())
        stand_still(released)
        blocked, after = await asked
        assert blocked["blocked"] is not None
        assert blocked["blocked"]["seconds"] >= 0.3
        assert any(
            each.endswith(" in stand_still") and __file__ in each
            for each in blocked["blocked"]["stack"]
        )
        assert after["blocked"] is None
        assert after["number"] >= blocked["number"]
        # What was asked in vain was not done.
        assert supervisor["a"].close_reason is None

    async def test_answers_again(
        self, probe: Probe, supervisor: Supervisor, elsewhere: Elsewhere,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        """
        As soon as the loop runs again, questions are answered.
        """
        monkeypatch.setattr(_bridge, "PATIENCE", 0.01)
        released = threading.Event()
        bridge = Bridge(probe)

        async def ask() -> Any:
            try:
                with pytest.raises(NotAnsweringError, match="the event loop has not answered for "):
                    await bridge.sessions(Query())
            finally:
                released.set()
            monkeypatch.setattr(_bridge, "PATIENCE", FOR_EVER)
            return await bridge.sessions(Query())

        asked = elsewhere(ask())
        stand_still(released)
        assert (await asked)["total"] == 0

    async def test_slow_and_not_blocked(
        self, probe: Probe, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        As long as the loop gives signs of life, who waits for an update goes on waiting.
        """
        monkeypatch.setattr(_bridge, "LATE", 0.001)
        bridge = Bridge(probe)
        bridge._newer = patient = Patient()
        by_hand(probe)
        probe.beat = float("inf")  # it is never silent
        first = probe._number
        asked = elsewhere(bridge.overview(after=first))
        assert await asyncio.to_thread(patient.often.wait, PATIENCE)
        assert not asked.done()
        update(probe)
        probe.beat = float("inf")
        assert (await asked)["number"] == first + 1

    async def test_nothing_known_yet(
        self, supervisor: Supervisor, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Before the first update, there is nothing to tell, blocked or not.
        """
        monkeypatch.setattr(_bridge, "LATE", 0.001)
        probe = Probe(supervisor)
        bridge = Bridge(probe)
        bridge._newer = patient = Patient()
        asked = elsewhere(bridge.overview())
        assert await asyncio.to_thread(patient.often.wait, PATIENCE)
        assert not asked.done()
        probe.start()
        assert (await asked)["number"] >= 1
        probe.stop()
