"""
What sessions weigh together, and who makes room when that is too much.
"""

from __future__ import annotations

import asyncio
from fractions import Fraction
from itertools import pairwise
from math import inf, nan
from typing import TYPE_CHECKING

import pytest

from sessionstate import CloseReason, SessionClosed, Supervisor, SupervisorFull
from tests.bodies import fail
from tests.test_admission import ended, slowly_closing, soon

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time

EVICTED = CloseReason.EVICTED


class TestWeight:
    async def test_counts_while_live(self, supervisor: Supervisor) -> None:
        """
        All live sessions weigh together; one that has ended weighs nothing.
        """
        assert supervisor.statistics().weight == 0
        async with supervisor.session("a", weight=2) as a:
            b = await slowly_closing(supervisor, "b")
            assert (a.weight, b.weight) == (2, 0)
            b.weight = 3.5
            assert supervisor.statistics().weight == 5.5
            b.close_soon()
            assert (b.weight, supervisor.statistics().weight) == (0, 2)
            a.weight = 1
        assert (a.weight, supervisor.statistics().weight) == (0, 0)
        supervisor._check()

    async def test_no_drift(self, supervisor: Supervisor) -> None:
        """
        Fractions that come and go leave nothing behind.
        """
        tenths = [await supervisor.open(str(number), weight=0.1) for number in range(10)]
        for number, session in enumerate(tenths):
            session.weight = 0.1 + number / 7
            session.weight = number / 3
        for session in tenths:
            session.close_soon()
        weight = supervisor._bounds.weight
        assert (weight.total, weight.idle_total, supervisor.statistics().weight) == (0, 0, 0)
        supervisor._check()

    async def test_drift_refuses_nobody(self, start_supervisor: StartSupervisor) -> None:
        """
        What fits exactly is let in again and again, though its fractions do not add up exactly.
        """
        supervisor = await start_supervisor(max_weight=0.3, when_full="refuse")
        pins = [await supervisor.open(id, weight=0) for id in "abc"]
        for number in range(1, 50):
            for pin in pins:
                pin.weight = 0.1 / number
            for pin in pins:
                pin.weight = 0
            for pin in pins:
                await supervisor.open(f"new {pin.id}", weight=0.1)
            assert supervisor.close_soon("new a")
            with pytest.raises(SupervisorFull):
                await supervisor.open("heavy", weight=0.11)
            assert supervisor.close_soon("new b")
            assert supervisor.close_soon("new c")

    @pytest.mark.parametrize("bad", [-1, inf, nan, -0.5, pytest.param(10**400, id="10**400")])
    async def test_nonsense(self, supervisor: Supervisor, bad: float) -> None:
        """
        A weight is a finite number from 0.
        """
        session = await supervisor.open("a")
        with pytest.raises(ValueError, match="weight must be a finite number from 0"):
            supervisor.session("b", weight=bad)
        with pytest.raises(ValueError, match="weight must be a finite number from 0"):
            session.weight = bad
        with pytest.raises(ValueError, match="max_weight must be a finite number above 0"):
            Supervisor(max_weight=bad)

    @pytest.mark.parametrize("bad", ["1", None, True, Fraction(1, 2), 1j])
    async def test_no_number(self, supervisor: Supervisor, bad: object) -> None:
        """
        What is no number is no weight.
        """
        session = await supervisor.open("a")
        with pytest.raises(TypeError, match="weight must be a number, such as bytes, not"):
            session.weight = bad  # type: ignore[assignment]
        if bad is not None:
            with pytest.raises(TypeError, match="weight must be a number"):
                supervisor.attach("b", weight=bad)  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="max_weight must be a number"):
                Supervisor(max_weight=bad)  # type: ignore[arg-type]
        assert session.weight == 0

    async def test_limits(self, start_supervisor: StartSupervisor) -> None:
        """
        A limit of nothing is refused, and so is a weight that never fits.
        """
        with pytest.raises(ValueError, match="above 0, or None for no limit, not 0"):
            Supervisor(max_weight=0)
        supervisor = await start_supervisor(max_weight=10)
        with pytest.raises(ValueError, match=r"weight \(11\) is more than max_weight \(10\)"):
            supervisor.session("a", weight=11)
        await supervisor.open("a", weight=10)

    async def test_of_what_has_ended(self, supervisor: Supervisor) -> None:
        """
        A session that has ended cannot be given a weight.
        """
        closing, closed = await slowly_closing(supervisor, "a"), await supervisor.open("b")
        for session in closing, closed:
            session.close_soon()
            with pytest.raises(SessionClosed):
                session.weight = 5
            assert session.weight == 0
        supervisor._check()


class TestOpening:
    async def test_makes_room(self, start_supervisor: StartSupervisor, clock: VirtualClock) -> None:
        """
        For one that is heavy, as many make room as it takes, longest idle first.
        """
        supervisor = await start_supervisor(max_weight=10)
        sessions = {}
        for id, weight in [("light", 0), ("a", 2), ("b", 3), ("c", 4)]:
            sessions[id] = await supervisor.open(id, weight=weight)
            await clock.advance(1)
        sessions["a"].touch()
        await supervisor.open("new", weight=6)
        assert [id for id, each in sessions.items() if each.close_reason is EVICTED] == ["b", "c"]
        assert set(supervisor) == {"light", "a", "new"}
        supervisor._check()

    async def test_heaviest_of_equally_idle(self, start_supervisor: StartSupervisor) -> None:
        """
        Of several that are idle equally long the heaviest makes room.
        """
        supervisor = await start_supervisor(max_weight=10)
        for id, weight in [("a", 2), ("b", 5), ("c", 3)]:
            await supervisor.open(id, weight=weight)
        await supervisor.open("new", weight=4)
        assert set(supervisor) == {"a", "c", "new"}

    async def test_nobody_in_vain(self, start_supervisor: StartSupervisor) -> None:
        """
        Nobody is evicted for one that does not fit beside what is held.
        """
        supervisor = await start_supervisor(max_weight=10)
        idle = [await supervisor.open(id, weight=2) for id in "ab"]
        async with supervisor.session("held", weight=5):
            with pytest.raises(SupervisorFull, match=r"weight .* is at 9 of at most 10, 6 more"):
                await supervisor.open("new", weight=6)
            assert [each.state for each in idle] == ["idle", "idle"]
            await supervisor.open("new", weight=5)
        assert set(supervisor) == {"new"}
        supervisor._check()

    async def test_refuse(self, start_supervisor: StartSupervisor) -> None:
        """
        With ``when_full="refuse"`` what does not fit is refused, and what weighs nothing comes in.
        """
        supervisor = await start_supervisor(max_weight=10, when_full="refuse")
        await supervisor.open("a", weight=8)
        with pytest.raises(SupervisorFull, match="raise max_weight"):
            await supervisor.open("b", weight=3)
        b = await supervisor.open("b", weight=2)
        b.weight = 20
        await supervisor.open("c", weight=0)
        await supervisor.open("d")
        assert supervisor.statistics().refused == 1

    async def test_wait(self, start_supervisor: StartSupervisor, clock: VirtualClock) -> None:
        """
        With ``when_full="wait"`` a light one does not pass a heavy one that waits before it.
        """
        supervisor = await start_supervisor(max_weight=10, when_full="wait")
        a, b = [await supervisor.open(id, weight=5) for id in "ab"]
        heavy = soon(supervisor.open("heavy", weight=8))
        light = soon(supervisor.open("light", weight=1))
        await clock.settle()
        a.close_soon()
        await clock.settle()
        late = soon(supervisor.open("late", weight=2))
        await clock.settle()
        assert not any(each.done() for each in (heavy, light, late))
        b.weight = 1
        await asyncio.gather(heavy, light)
        assert supervisor.statistics().weight == 10
        assert not late.done()
        await ended(late)
        supervisor._check()


class TestChanged:
    async def test_evicts_at_once(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        What becomes heavier while it is live evicts idle ones: longest idle, then heaviest first.
        """
        supervisor = await start_supervisor(max_weight=10)
        for id, weight in [("a", 1), ("b", 3), ("c", 2), ("light", 0)]:
            await supervisor.open(id, weight=weight)
        await clock.advance(1)
        supervisor["a"].touch()
        async with supervisor.session("held") as held:
            held.weight = 4
            assert len(supervisor) == 5
            held.weight = 5
            assert set(supervisor) == {"a", "c", "light", "held"}
            held.weight = 8
            assert set(supervisor) == {"a", "light", "held"}
            held.weight = 50  # a held one is never evicted, not for its own weight either
            assert set(supervisor) == {"light", "held"}
            assert supervisor.statistics().weight == 50
            supervisor._check()

    async def test_idle_one_may_have_to_go_itself(self, start_supervisor: StartSupervisor) -> None:
        """
        An idle session that becomes too heavy is evicted like any other.
        """
        supervisor = await start_supervisor(max_weight=10)
        a = await supervisor.open("a")
        a.weight = 11
        assert a.close_reason is EVICTED
        supervisor._check()

    async def test_who_enters_is_spared(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        Who names a weight on entering a live session finds that session, not a new life of it.
        """
        supervisor = await start_supervisor(max_weight=10)
        a = await supervisor.open("a", weight=1)
        await clock.advance(1)
        b = await supervisor.open("b", weight=9)
        async with supervisor.attach("a", weight=5) as same:
            assert same is a
            assert (a.state, b.close_reason, a.weight) == ("open", EVICTED, 5)
            supervisor._check()
        async with supervisor.attach("held", weight=4):
            assert await supervisor.open("a", weight=9) is a
            assert supervisor.statistics().weight == 13
        supervisor._check()

    async def test_who_enters_may_find_it_ended(self, start_supervisor: StartSupervisor) -> None:
        """
        If the clean-up of one that makes room ends the session entered, a new life begins.
        """
        supervisor = await start_supervisor(max_weight=10)
        a = await supervisor.open("a", weight=1)
        b = await supervisor.open("b", weight=9)
        b.callback(a.close_soon)
        async with supervisor.attach("a", weight=5) as new:
            assert (new.incarnation, new.state, new.weight) == (3, "open", 5)
        supervisor._check()

    async def test_becomes_idle_while_all_are_too_heavy(
        self, start_supervisor: StartSupervisor
    ) -> None:
        """
        One that is left while all are too heavy goes with the next that needs room.
        """
        supervisor = await start_supervisor(max_weight=10)
        async with supervisor.attach("a") as a:
            a.weight = 20
        assert a.state == "idle"
        await supervisor.open("b", weight=1)
        assert a.close_reason is EVICTED
        supervisor._check()

    @pytest.mark.parametrize("when_full", ["refuse", "wait"])
    async def test_only_where_it_evicts(
        self, start_supervisor: StartSupervisor, when_full: str
    ) -> None:
        """
        A supervisor that does not evict when full evicts nobody for weight either.
        """
        supervisor = await start_supervisor(max_weight=10, when_full=when_full)
        a, b = await supervisor.open("a", weight=8), await supervisor.open("b")
        b.weight = 8
        assert (a.state, b.state, supervisor.statistics().weight) == ("idle", "idle", 16)

    async def test_error_in_the_clean_up_of_the_evicted(
        self, start_supervisor: StartSupervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        The clean-up error of one that is evicted is logged, and not the setter's.
        """
        supervisor = await start_supervisor(max_weight=10)
        (await supervisor.open("a", weight=5)).callback(fail)
        async with supervisor.attach("b") as b:
            b.weight = 6
        assert "session 'a' (evicted)" in caplog.text
        assert (set(supervisor), b.weight) == ({"b"}, 6)

    async def test_ended_by_another_that_goes(self, start_supervisor: StartSupervisor) -> None:
        """
        Of those that are to go, one that another's clean-up ends does not end twice.
        """
        supervisor = await start_supervisor(max_weight=10)
        a, b, c = [await supervisor.open(id, weight=3) for id in "abc"]
        a.callback(b.close_soon)
        async with supervisor.session("held") as held:
            held.weight = 8
        assert [each.close_reason for each in (a, b, c)] == [
            EVICTED,
            CloseReason.COMPLETED,
            EVICTED,
        ]
        supervisor._check()


class TestSlices:
    async def test_leave_turns_to_others(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        When many have to go, the work is cut by time: longest idle first, as many as needed.
        """
        supervisor = await start_supervisor(max_weight=1000, max_sessions=None)
        loop = clock._loop()
        light = [await supervisor.open(str(number), weight=1) for number in range(600)]
        for session in light:  # each end costs 0.1 ms of the virtual time
            session.callback(lambda: loop._move(loop.time() + 0.0001))
        turns = []
        async with supervisor.session("heavy") as heavy:
            begun = loop.time()
            heavy.weight = 700
            heavy.weight = 900
            assert loop.time() - begun < 0.002
            while supervisor.statistics().weight > 1000:
                turns.append(loop.time())
                await asyncio.sleep(0)
            assert max(after - before for before, after in pairwise(turns)) < 0.001
            await clock.settle()
            assert list(supervisor) == [*(each.id for each in light[500:]), "heavy"]
        supervisor._check()

    async def test_supervisor_left_meanwhile(self, clock: VirtualClock) -> None:
        """
        Who is still to go when the supervisor is left ends with all others.
        """
        reasons: list[CloseReason] = []
        async with Supervisor(max_weight=100) as supervisor:
            supervisor.on_close(lambda _, reason: reasons.append(reason))
            loop = clock._loop()
            for number in range(100):
                session = await supervisor.open(str(number), weight=1)
                session.callback(lambda: loop._move(loop.time() + 0.0001))
            (await supervisor.open("heavy")).weight = 90
        assert len(reasons) == 101
        assert 0 < reasons.count(EVICTED) < 50
