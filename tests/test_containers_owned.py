"""
Containers on behalf of a supervisor or a session: prompt, cleared at the end, never in the way.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import (
    EvictionCause,
    ExpiringMap,
    LRUCache,
    ReplayGuard,
    Session,
    SessionClosed,
    Supervisor,
    SupervisorClosed,
)
from sessionstate.testing import VirtualClock, VirtualLoop

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

Told = list[tuple[Any, Any, EvictionCause]]


def left_after_rings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """
    Return a list that gets, each time that a map lets go of what is due, how many are left.
    """
    left: list[int] = []
    ring = ExpiringMap._overdue

    def counted(self: ExpiringMap[int, int]) -> None:
        ring(self)
        left.append(len(self._entries))

    monkeypatch.setattr(ExpiringMap, "_overdue", counted)
    return left


class Value:
    """
    Something that can be watched.
    """


@pytest.fixture
def told() -> Told:
    """
    Give a list for what the hook is told.
    """
    return []


@pytest.fixture
async def s(supervisor: Supervisor) -> Session:
    """
    Give a session that nobody holds.
    """
    return await supervisor.open("a", idle_timeout=None)


def timers() -> int:
    """
    How many timers the loop has armed.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.timers


class TestPrompt:
    @pytest.mark.parametrize("owner", ["supervisor", "session"])
    @pytest.mark.parametrize("ttl", [0.001, 0.5, 60, 86_400])
    async def test_memory_is_freed_without_access(
        self, supervisor: Supervisor, s: Session, clock: VirtualClock, owner: str, ttl: float
    ) -> None:
        """
        A value goes when its time has come, never early, late by 1/256 or 5 ms, though nobody asks.
        """
        options: dict[str, Any] = {"session": s} if owner == "session" else {owner: supervisor}
        entries: ExpiringMap[str, Value] = ExpiringMap(ttl=ttl, **options)
        value = entries["a"] = Value()
        seen = weakref.ref(value)
        del value
        await clock.advance(ttl * 0.999)
        assert seen() is not None
        await clock.advance(ttl * 0.001 + max(ttl / 256, 0.005))
        assert seen() is None
        entries._check()

    async def test_a_touched_entry_stays_and_goes_later(
        self, supervisor: Supervisor, clock: VirtualClock, told: Told
    ) -> None:
        """
        An entry that was used is put back once, at the place that the last use gives.
        """
        entries: ExpiringMap[str, int] = ExpiringMap(
            idle=60, supervisor=supervisor, on_evict=lambda *out: told.append(out)
        )
        entries["a"] = 1
        for _ in range(5):
            await clock.advance(59)
            assert entries.touch("a")
        await clock.advance(59)
        assert told == []
        await clock.advance(1.5)
        assert told == [("a", 1, EvictionCause.IDLE)]

    async def test_short_ones_wake_before_long_ones(
        self, supervisor: Supervisor, clock: VirtualClock, told: Told
    ) -> None:
        """
        An entry with an earlier deadline brings the alarm forward.
        """
        entries: ExpiringMap[str, int] = ExpiringMap(
            ttl=3600, supervisor=supervisor, on_evict=lambda *out: told.append(out)
        )
        entries["long"] = 1
        entries.set("short", 2, ttl=1)
        await clock.advance(1.01)
        assert told == [("short", 2, EvictionCause.EXPIRED)]
        await clock.advance(3600 + 15)
        assert len(told) == 2

    @pytest.mark.virtual_time
    async def test_nothing_that_expires_arms_no_timer(
        self, start_supervisor: StartSupervisor
    ) -> None:
        """
        A container that holds nothing which will expire wakes nobody.
        """
        supervisor = await start_supervisor()
        before = timers()
        entries: ExpiringMap[str, int] = ExpiringMap(maxsize=5, supervisor=supervisor)
        empty: ExpiringMap[str, int] = ExpiringMap(ttl=60, supervisor=supervisor)
        guard = ReplayGuard(window=60, supervisor=supervisor)
        cache: LRUCache[str, int] = LRUCache(maxsize=3, supervisor=supervisor)
        for key in "abcdefgh":
            entries[key] = cache[key] = 1
        assert not empty
        assert len(guard) == 0
        assert timers() == before
        empty["a"] = 1
        assert timers() == before + 1

    async def test_many_at_once_are_let_go_in_slices(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        However many are due, all go, and a hook that fails stops none of it.
        """
        entries: ExpiringMap[int, int] = ExpiringMap(ttl=60, supervisor=supervisor)
        for number in range(20_000):
            entries[number] = number
        await clock.advance(60.5)
        assert len(entries._entries) == 0
        entries._check()

    async def test_a_slice_takes_all_that_it_has_time_for(
        self, supervisor: Supervisor, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        What is due together goes in one turn while its time lasts, each told to the hook.
        """
        monkeypatch.setattr("sessionstate.containers._keeping.perf_counter", lambda: 0.0)
        told: list[int] = []
        entries: ExpiringMap[int, int] = ExpiringMap(
            ttl=60, supervisor=supervisor, on_evict=lambda key, *_: told.append(key)
        )
        for number in range(300):
            entries[number] = number
        rings = left_after_rings(monkeypatch)
        await clock.advance(61)
        assert rings == [0]
        assert sorted(told) == list(range(300))

    async def test_a_slow_hook_gives_others_their_turn(
        self, supervisor: Supervisor, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        What is left when a slice is over is due at once, and is let go of in the next one.
        """
        moments = iter(range(10**6))
        monkeypatch.setattr(
            "sessionstate.containers._keeping.perf_counter", lambda: float(next(moments))
        )
        entries: ExpiringMap[int, int] = ExpiringMap(ttl=60, supervisor=supervisor)
        for number in range(300):
            entries[number] = number
        rings = left_after_rings(monkeypatch)
        await clock.advance(61)
        assert rings == [236, 172, 108, 44, 0]

    async def test_a_hook_that_fails_is_logged_and_the_rest_goes_on(
        self, supervisor: Supervisor, clock: VirtualClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        The supervisor's task counts and reports the error, and the other entries go in time.
        """

        def hook(*_: object) -> None:
            raise OSError("disk full")

        entries: ExpiringMap[str, int] = ExpiringMap(ttl=60, supervisor=supervisor, on_evict=hook)
        entries["a"] = 1
        entries.set("b", 2, ttl=120)
        await clock.advance(130)
        assert not entries._entries
        assert supervisor.statistics().expiry_errors == 2
        assert "on_evict of ExpiringMap failed" in caplog.text

    async def test_a_guard_forgets_promptly(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        Keys go when their windows close, by whichever clock they are measured.
        """
        wall = lambda: 1e9 + clock.now
        guard = ReplayGuard(window=60, supervisor=supervisor, wall_clock=wall)
        assert guard.first_seen("plain")
        assert guard.first_seen("signed", signed_at=wall() - 30)
        await clock.advance(30.3)
        assert list(guard._signed.rows) == []
        assert list(guard._plain.rows) == ["plain"]
        await clock.advance(30)
        assert list(guard._plain.rows) == []
        guard._check()

    async def test_a_wall_clock_set_back_postpones_what_it_measures(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        When the alarm rings and the window is still open, the key stays and the alarm is set again.
        """
        shift = 0.0
        guard = ReplayGuard(
            window=60, supervisor=supervisor, wall_clock=lambda: 1e9 + clock.now + shift
        )
        assert guard.first_seen("a", signed_at=1e9)
        shift = -100.0
        await clock.advance(61)
        assert "a" in guard
        await clock.advance(101)
        assert list(guard._signed.rows) == []

    @pytest.mark.parametrize("slow", [False, True])
    async def test_many_keys_go_in_slices(
        self,
        supervisor: Supervisor,
        clock: VirtualClock,
        monkeypatch: pytest.MonkeyPatch,
        slow: bool,
    ) -> None:
        """
        A guard, too, gives others their turn, and forgets all there is to forget.
        """
        step = 1.0 if slow else 0.0
        moments = (number * step for number in range(10**6))
        monkeypatch.setattr("sessionstate.containers._replay.perf_counter", lambda: next(moments))
        guard = ReplayGuard(window=60, supervisor=supervisor)
        for number in range(300):
            guard.first_seen(number)
        await clock.advance(61)
        assert not guard._plain.rows
        guard._check()


class TestEnd:
    async def test_the_end_of_a_session_clears_its_containers(
        self, supervisor: Supervisor, s: Session, told: Told
    ) -> None:
        """
        Everything goes with its session, is told as cleared, and late writes raise.
        """
        hook = lambda *out: told.append(out)
        entries: ExpiringMap[str, int] = ExpiringMap(ttl=60, session=s, on_evict=hook)
        cache: LRUCache[str, int] = LRUCache(maxsize=3, session=s, on_evict=hook)
        guard = ReplayGuard(window=60, session=s)
        entries["a"] = 1
        cache["b"] = 2
        guard.first_seen("c")
        guard.first_seen("d", signed_at=guard._signed.now())
        await supervisor.close("a")
        assert told == [("b", 2, EvictionCause.CLEARED), ("a", 1, EvictionCause.CLEARED)]
        for write in (
            lambda: entries.__setitem__("a", 1),
            lambda: entries.set("a", 1, ttl=5),
            lambda: entries.setdefault("a", 1),
            lambda: cache.__setitem__("a", 1),
            lambda: guard.first_seen("c"),
            lambda: guard.claim("c").__enter__(),
        ):
            with pytest.raises(SessionClosed, match="session 'a'"):
                write()
            assert (len(entries), len(cache), len(guard)) == (0, 0, 0)
        assert entries.get("a") is cache.get("b") is None
        assert entries.expire() == 0
        entries.clear()
        cache.clear()
        with pytest.raises(SessionClosed):
            entries["a"] = 1
        entries._check()

    async def test_leaving_the_supervisor_clears_its_containers(self, told: Told) -> None:
        """
        What a supervisor keeps goes when it is left, after the sessions have ended.
        """
        async with Supervisor() as supervisor:
            entries: ExpiringMap[str, int] = ExpiringMap(
                ttl=60, supervisor=supervisor, on_evict=lambda *out: told.append(out)
            )
            entries["a"] = 1
        assert told == [("a", 1, EvictionCause.CLEARED)]
        with pytest.raises(SupervisorClosed, match="keeps nothing any more"):
            entries["a"] = 1

    async def test_a_hook_that_fails_as_the_supervisor_is_left_stops_nothing(
        self, told: Told, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        The other containers are cleared all the same, and the error is logged.
        """

        def hook(*_: object) -> None:
            raise OSError("disk full")

        async with Supervisor() as supervisor:
            maps: list[ExpiringMap[str, int]] = [
                ExpiringMap(supervisor=supervisor, on_evict=hook) for _ in range(3)
            ]
            for entries in maps:
                entries["a"] = 1
        assert [len(entries) for entries in maps] == [0, 0, 0]
        assert caplog.records[-1].levelno == logging.ERROR

    async def test_an_owner_that_has_ended_takes_no_container(
        self, supervisor: Supervisor, s: Session
    ) -> None:
        """
        Who makes a container too late is told so.
        """
        await supervisor.close("a")
        with pytest.raises(SessionClosed):
            ExpiringMap(session=s)

    async def test_an_owner_gives_the_clock(self, supervisor: Supervisor) -> None:
        """
        Two clocks would disagree about what is due.
        """
        with pytest.raises(ValueError, match="leave clock= out"):
            ExpiringMap(supervisor=supervisor, clock=lambda: 0.0)


class TestDropped:
    @pytest.mark.parametrize("kind", ["map", "lru", "guard"])
    async def test_a_container_that_is_dropped_goes_at_once(
        self, supervisor: Supervisor, s: Session, clock: VirtualClock, kind: str
    ) -> None:
        """
        The owner knows it weakly: no entry, no alarm and no row of it are left.
        """
        rows = len(s._steps or ())
        gc.disable()
        try:
            for owner in ({"session": s}, {"supervisor": supervisor}):
                for number in range(50):
                    made: Any
                    if kind == "map":
                        made = ExpiringMap(ttl=60, maxsize=5, **owner)
                        made[number] = 1
                    elif kind == "lru":
                        made = LRUCache(maxsize=5, **owner)
                        made[number] = 1
                    else:
                        made = ReplayGuard(window=60, **owner)
                        made.first_seen(number)
                    gone = weakref.ref(made)
                    del made
                    assert gone() is None
        finally:
            gc.enable()
        assert len(s._steps or ()) == rows
        assert len(supervisor._bells.queue) == 0
        assert len(supervisor._tenancies) == 0
        await clock.advance(100)
