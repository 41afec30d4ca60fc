"""
ReplayGuard: windows, freshness and room.
"""

from __future__ import annotations

import copy
import math
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from sessionstate import GuardFull, ReplayGuard, SessionError, StaleRequest
from sessionstate.containers._ticks import BATCH
from tests.hands import EPOCH, Times, times

__all__ = ["times"]  # a fixture


class TestPlain:
    def test_remembers_for_the_window(self, times: Times) -> None:
        """
        A key is a later one until just before the end of its window, and new again at the end.
        """
        guard = times.guard()
        assert guard.first_seen("a")
        times.now = math.nextafter(400, 0)
        assert not guard.first_seen("a")
        assert len(guard) == 1
        times.now = 400
        assert "a" not in guard
        assert len(guard) == 0
        assert guard.first_seen("a")

    def test_seeing_it_again_does_not_extend_the_window(self, times: Times) -> None:
        """
        Without a time of signing the window runs from the first time on.
        """
        guard = times.guard()
        assert guard.first_seen("a")
        for _ in range(2):
            times.wait(100)
            assert not guard.first_seen("a")
        times.wait(100)
        assert guard.first_seen("a")

    @pytest.mark.parametrize("key", ["", 0, None, (), ("a", 1), b"bytes"])
    def test_any_hashable_key_will_do(self, times: Times, key: Any) -> None:
        """
        Keys that are false are keys like others.
        """
        guard = times.guard()
        assert guard.first_seen(key)
        assert not guard.first_seen(key)
        assert key in guard

    def test_forgets_a_bounded_number_at_a_time(self, times: Times) -> None:
        """
        No single request pays for all that is to be forgotten.
        """
        guard = times.guard()
        for number in range(200):
            guard.first_seen(number)
        times.wait(300)
        assert guard.first_seen("a")
        assert 100 < len(guard._plain.rows) < 200
        assert len(guard) == 1

    def test_is_always_true(self, times: Times) -> None:
        """
        `guard or default` means the guard, though it has seen nothing.
        """
        assert times.guard()
        assert repr(times.guard()) == "<ReplayGuard of 0>"


class TestSigned:
    @pytest.mark.parametrize(
        ("age", "fresh"),
        [
            (300.0, True),
            (math.nextafter(300, math.inf) + 1e-6, False),
            (0.0, True),
            (-60.0, True),
            (-60.001, False),
        ],
    )
    def test_checks_freshness(self, times: Times, age: float, fresh: bool) -> None:
        """
        Both ends of the window are inside: `now - window <= signed_at <= now + skew`.
        """
        guard = times.guard(skew=60)
        if fresh:
            assert guard.first_seen("a", signed_at=EPOCH - age)
        else:
            with pytest.raises(StaleRequest):
                guard.first_seen("a", signed_at=EPOCH - age)
            assert len(guard) == 0

    def test_remembers_exactly_until_the_check_would_refuse(self, times: Times) -> None:
        """
        A request dated ahead is remembered longer than the window; at the boundary, still.
        """
        guard = times.guard(skew=60)
        assert guard.first_seen("a", signed_at=EPOCH + 60)
        times.wait(360)
        assert not guard.first_seen("a", signed_at=EPOCH + 60)
        assert "a" in guard
        times.wall = math.nextafter(times.wall, math.inf)
        assert "a" not in guard
        with pytest.raises(StaleRequest):
            guard.first_seen("a", signed_at=EPOCH + 60)
        assert guard.first_seen("a")

    def test_a_second_time_shortens_nothing(self, times: Times) -> None:
        """
        A key that was seen several times is remembered until the last of its windows closes.
        """
        guard = times.guard(skew=60)
        assert guard.first_seen("a", signed_at=EPOCH + 60)
        assert not guard.first_seen("a", signed_at=EPOCH - 100)
        times.wait(300)
        assert not guard.first_seen("a", signed_at=EPOCH + 60)

    def test_says_what_is_wrong(self, times: Times) -> None:
        """
        The error tells how old the request is, and what the likely mistake is.
        """
        guard = times.guard()
        for signed_at, words in [
            (EPOCH - 301, "signed 301.000 s ago, and 300 s are allowed"),
            (EPOCH + 5, "signed 5.000 s in the future, and 0 s are allowed: is one of"),
            (EPOCH * 1000, "are these milliseconds?"),
        ]:
            with pytest.raises(StaleRequest, match=words.replace("?", r"\?")) as caught:
                guard.first_seen("a", signed_at=signed_at)
            assert (caught.value.signed_at, caught.value.now) == (signed_at, EPOCH)
            assert isinstance(caught.value, SessionError)

    def test_takes_aware_datetimes(self, times: Times) -> None:
        """
        A datetime must say its zone, or it would be off by hours.
        """
        guard = times.guard()
        at = datetime.fromtimestamp(EPOCH, tz=timezone(timedelta(hours=5)))
        assert guard.first_seen("a", signed_at=at)
        assert not guard.first_seen("a", signed_at=at.astimezone(UTC))
        with pytest.raises(ValueError, match="must say its time zone"):
            guard.first_seen("b", signed_at=at.replace(tzinfo=None))

    @pytest.mark.parametrize(
        ("signed_at", "error"),
        [
            ("now", TypeError),
            (True, TypeError),
            (math.nan, ValueError),
            (math.inf, ValueError),
            (10**400, ValueError),
        ],
    )
    def test_refuses_what_is_no_time(
        self, times: Times, signed_at: Any, error: type[Exception]
    ) -> None:
        """
        Nothing is remembered of a request whose time makes no sense.
        """
        guard = times.guard()
        with pytest.raises(error, match="signed_at must be"):
            guard.first_seen("a", signed_at=signed_at)
        assert len(guard) == 0

    def test_a_wall_clock_set_back_admits_nothing_again(self, times: Times) -> None:
        """
        What was forgotten is refused as stale, though the wall clock says that it is fresh.
        """
        guard = times.guard()
        assert guard.first_seen("a", signed_at=EPOCH)
        times.wall += 301
        assert len(guard) == 0
        times.wall -= 200
        with pytest.raises(StaleRequest):
            guard.first_seen("a", signed_at=EPOCH)
        assert guard.first_seen("b", signed_at=EPOCH + 1)

    def test_a_wall_clock_set_far_ahead_and_back_heals(self, times: Times) -> None:
        """
        What is signed after what was forgotten is accepted at once.
        """
        guard = times.guard(skew=60)
        assert guard.first_seen("a", signed_at=EPOCH)
        times.wall += 1e8
        with pytest.raises(StaleRequest):
            guard.first_seen("b", signed_at=EPOCH + 1)
        times.wall -= 1e8
        with pytest.raises(StaleRequest):
            guard.first_seen("a", signed_at=EPOCH)
        assert guard.first_seen("b", signed_at=EPOCH + 1)


class TestBothWays:
    def test_remembers_until_the_last_window_closes(self, times: Times) -> None:
        """
        A key that was seen signed, again with another time, and without, is known all that time.
        """
        guard = times.guard(skew=60)
        assert guard.first_seen("a", signed_at=EPOCH - 200)
        assert not guard.first_seen("a", signed_at=EPOCH + 50)
        times.wait(60)
        assert not guard.first_seen("a")
        assert not guard.first_seen("a", signed_at=EPOCH - 100)
        assert len(guard) == 1
        guard._check()
        times.wait(291)
        assert not guard.first_seen("a"), "it came without a time 291 s ago"
        times.wait(9)
        assert len(guard) == 0
        guard._check()

    def test_a_key_known_both_ways_takes_one_place(self, times: Times) -> None:
        """
        A guard is full of keys, not of sightings.
        """
        guard = times.guard(maxsize=2)
        assert guard.first_seen("a")
        assert not guard.first_seen("a", signed_at=EPOCH)
        assert guard.first_seen("b")
        assert len(guard) == 2
        with pytest.raises(GuardFull):
            guard.first_seen("c")

    def test_many_known_both_ways_take_their_places_to_the_end(self, times: Times) -> None:
        """
        However many sightings are over, keys whose signatures are fresh keep a guard full.
        """
        size = 3 * BATCH
        guard = times.guard(maxsize=size, skew=30)
        for number in range(size):
            assert guard.first_seen(number)
            assert not guard.first_seen(number, signed_at=EPOCH + 20)
        times.wait(310)
        with pytest.raises(GuardFull):
            guard.first_seen("a")
        assert len(guard) == size
        times.wait(10.1)
        assert guard.first_seen("a")
        guard._check()


class TestFull:
    @pytest.mark.parametrize("signed_at", [None, EPOCH])
    def test_refuses_instead_of_forgetting(self, times: Times, signed_at: float | None) -> None:
        """
        A key whose window is open is never forgotten, whoever comes; known ones stay known.
        """
        guard = times.guard(maxsize=2)
        assert guard.first_seen("a", signed_at=signed_at)
        assert guard.first_seen("b", signed_at=signed_at)
        with pytest.raises(GuardFull, match="all 2 keys of this guard are within") as caught:
            guard.first_seen("c", signed_at=signed_at)
        assert caught.value.maxsize == 2
        assert not guard.first_seen("a", signed_at=signed_at)
        with pytest.raises(GuardFull), guard.claim("c", signed_at=signed_at):
            raise AssertionError

    def test_what_is_over_goes_first(self, times: Times) -> None:
        """
        A guard is full only of keys whose windows are open.
        """
        guard = times.guard(maxsize=100)
        for number in range(100):
            assert guard.first_seen(number)
        times.wait(300)
        for number in range(100):
            assert guard.first_seen(-1 - number)
        with pytest.raises(GuardFull):
            guard.first_seen("a")


class TestNonsense:
    @pytest.mark.parametrize(
        ("options", "error", "advice"),
        [
            ({"window": 0}, ValueError, "window must be"),
            ({"window": None}, TypeError, "window must be seconds"),
            ({"window": 5, "skew": -1}, ValueError, "skew must be"),
            ({"window": 5, "maxsize": 0}, ValueError, "maxsize must be at least 1"),
            ({"window": 5, "clock": 0}, TypeError, "clock must be a function"),
            ({"window": 5, "wall_clock": 0}, TypeError, "wall_clock must be a function"),
        ],
    )
    def test_is_refused_with_advice(
        self, options: dict[str, Any], error: type[Exception], advice: str
    ) -> None:
        """
        The error says what to write.
        """
        with pytest.raises(error, match=advice):
            ReplayGuard(**options)

    @pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_copies_are_refused(self, copier: Any) -> None:
        """
        Two guards would accept a key twice.
        """
        with pytest.raises(TypeError, match="would accept a key twice"):
            copier(ReplayGuard(window=1))
