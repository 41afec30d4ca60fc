"""
The same source for a thread with a loop of its own: its answers, its updates, and its end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sessionstate import CloseReason, Supervisor
from sessionstate.dashboard import _bridge
from sessionstate.dashboard._bridge import Bridge
from sessionstate.dashboard._probe import Probe
from sessionstate.dashboard._source import NotAnsweringError, Query
from tests.dashboard.bridging import by_hand, elsewhere, never_late, probe, threads, update
from tests.dashboard.shapes import check

if TYPE_CHECKING:
    from sessionstate.dashboard._source import Overview
    from tests.dashboard.bridging import Elsewhere

__all__ = ["elsewhere", "never_late", "probe", "threads"]  # fixtures

pytestmark = pytest.mark.real_loop


@pytest.mark.usefixtures("never_late")
class TestAnswers:
    async def test_all_questions(
        self, probe: Probe, supervisor: Supervisor, elsewhere: Elsewhere
    ) -> None:
        """
        Every question is answered as in the loop of the supervisor.
        """
        session = await supervisor.open("a")
        bridge = Bridge(probe)

        async def ask() -> None:
            overview = await bridge.overview()
            check(overview, "Overview")
            assert overview["running"]
            assert len(overview.get("history", [])) >= 1
            assert overview["blocked"] is None
            (row,) = (await bridge.sessions(Query()))["rows"]
            assert row["incarnation"] == session.incarnation
            detail = await bridge.session(session.incarnation)
            assert detail is not None
            assert detail["id"] == "a"
            assert await bridge.session(99) is None
            assert (await bridge.report()).supervisor == supervisor.name
            assert await bridge.close(session.incarnation, "me")
            assert not await bridge.close(session.incarnation, "me")

        await elsewhere(ask())
        assert session.close_reason is CloseReason.DELETED

    async def test_error(self, probe: Probe, elsewhere: Elsewhere) -> None:
        """
        What goes wrong in the answer is raised where it was asked for.
        """
        probe._table._redact = None  # type: ignore[assignment]
        await probe.supervisor.open("a")

        async def ask() -> None:
            with pytest.raises(TypeError, match="not callable"):
                await Bridge(probe).sessions(Query(search="a"))

        await elsewhere(ask())

    async def test_report_while_it_is_stopped(self, probe: Probe, elsewhere: Elsewhere) -> None:
        """
        Who asked for the report when the probe is stopped gets it, and is not cancelled.
        """

        def stop() -> None:
            probe._make_report()
            probe.stop()

        async def ask() -> None:
            probe.supervisor._loop.call_soon_threadsafe(stop)
            assert (await Bridge(probe).report()).samples >= 0

        await elsewhere(ask())


@pytest.mark.usefixtures("never_late")
class TestUpdates:
    async def test_before_the_first(self, supervisor: Supervisor, elsewhere: Elsewhere) -> None:
        """
        Who asks before there was an update waits for the first.
        """
        probe = Probe(supervisor)
        asked = elsewhere(Bridge(probe).overview())
        while probe.published is None:  # noqa: ASYNC110 - another thread asks
            await asyncio.sleep(0)
        probe.start()
        assert (await asked)["number"] == 1
        probe.stop()

    async def test_two_readers(self, probe: Probe, elsewhere: Elsewhere) -> None:
        """
        Two who read get each update, without its history.
        """
        bridge = Bridge(probe)
        loop = asyncio.get_running_loop()
        by_hand(probe)
        arrived: asyncio.Queue[int] = asyncio.Queue()
        first = probe._number

        async def read() -> list[int]:
            numbers = [first]
            while numbers[-1] < first + 30:
                overview = await bridge.overview(numbers[-1])
                assert "history" not in overview
                numbers.append(overview["number"])
                loop.call_soon_threadsafe(arrived.put_nowait, overview["number"])
            return numbers

        async def both() -> list[list[int]]:
            return list(await asyncio.gather(read(), read()))

        reading = elsewhere(both())
        for number in range(first + 1, first + 31):
            update(probe)
            assert [await arrived.get(), await arrived.get()] == [number, number]
        assert await reading == [list(range(first, first + 31))] * 2

    async def test_no_wake_up_is_lost(self, probe: Probe, elsewhere: Elsewhere) -> None:
        """
        However the updates fall between the questions, nobody waits for one that has come.
        """
        bridge = Bridge(probe)
        by_hand(probe)
        first = probe._number
        most = first + 1000

        async def read() -> list[int]:
            numbers = [first]
            while numbers[-1] < most:
                numbers.append((await bridge.overview(numbers[-1]))["number"])
            return numbers

        async def three() -> list[list[int]]:
            return list(await asyncio.gather(read(), read(), read()))

        reading = elsewhere(three())
        for _ in range(first, most):
            update(probe)
            await asyncio.sleep(0)
        for numbers in await reading:
            assert numbers == sorted(set(numbers))
            assert numbers[-1] == most

    async def test_reader_is_gone(self, probe: Probe, elsewhere: Elsewhere) -> None:
        """
        When the other loop was closed, updates go on, and nobody is told.
        """
        bridge = Bridge(probe)
        by_hand(probe)
        await elsewhere(bridge.overview())
        assert probe.published is not None
        update(probe)
        assert probe.published is None
        update(probe)
        bridge._loop = None
        bridge._tell()


class TestGone:
    async def test_left(self, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        When the supervisor was left, updates say so at once, and nobody waits for another.
        """
        monkeypatch.setattr(_bridge, "LATE", 0.01)
        async with Supervisor() as supervisor:
            probe = Probe(supervisor)
            probe.start()
            bridge = Bridge(probe)
            by_hand(probe)

        async def ask() -> list[Overview]:
            return [await bridge.overview(), await bridge.overview(after=1)]

        for overview in await elsewhere(ask()):
            check(overview, "Overview")
            assert not overview["running"]
            assert overview["blocked"] is None
        probe.stop()

    async def test_left_while_somebody_waits(self, elsewhere: Elsewhere, never_late: None) -> None:
        """
        Who waits when the supervisor is left gets an update that says so.
        """

        async def wait(bridge: Bridge) -> Overview:
            overview = await bridge.overview()
            while overview["running"]:
                overview = await bridge.overview(overview["number"])
            return overview

        async with Supervisor() as supervisor:
            probe = Probe(supervisor)
            probe.start()
            waiting = elsewhere(wait(Bridge(probe)))
            while probe.published is None:  # noqa: ASYNC110 - another thread asks
                await asyncio.sleep(0)
        overview = await waiting
        check(overview, "Overview")
        assert overview["blocked"] is None


def test_loop_was_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    When the loop was closed, what is known last is told, and questions are refused.
    """
    monkeypatch.setattr(_bridge, "LATE", 0.01)

    async def run() -> Bridge:
        async with Supervisor() as supervisor:
            await supervisor.open("a")
            probe = Probe(supervisor)
            probe.start()
            return Bridge(probe)

    bridge = asyncio.run(run())

    async def ask() -> None:
        for after in (None, 1):
            overview = await bridge.overview(after)
            check(overview, "Overview")
            assert overview["number"] >= 1
            assert not overview["running"]
            assert overview["blocked"] is None
        for question in (
            bridge.sessions(Query()),
            bridge.session(1),
            bridge.close(1, "me"),
            bridge.report(),
        ):
            with pytest.raises(NotAnsweringError) as caught:
                await question
            check(caught.value.blocked, "Blocked")

    asyncio.run(ask())
