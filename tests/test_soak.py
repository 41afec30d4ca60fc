"""
The short form of the soak, and what the long one concludes from.
"""

from __future__ import annotations

import sys

import pytest

from sessionstate import CloseReason
from tests.soak.run import Result, soak
from tests.soak.slopes import Slope, slope
from tests.soak.traffic import Traffic

PROCESSES = 0 if sys.platform == "win32" else 1  # there a virtual loop cannot start any


class TestSoak:
    def test_nothing_is_left_of_any_ending(self) -> None:
        """
        When sessions of every ending have come and gone, nothing is left of them.
        """
        result = soak(4_000, 3, PROCESSES)
        assert (result.left, result.errors) == ({}, [])
        assert all(result.by_reason[reason] for reason in CloseReason)
        assert sum(result.by_reason.values()) == result.sessions

    def test_what_is_left_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        What has not gone when it is looked is counted, and makes the run fail.
        """

        async def keep(traffic: Traffic) -> None:
            await traffic.main.open("kept", idle_timeout=None, weight=2)

        monkeypatch.setattr(Traffic, "settle", keep)
        result = soak(3_000, 3, 0)
        assert result.left["live"] > 1
        assert result.left["weight"] > 1
        assert any("live" in each for each in result.failures())


class TestResult:
    def test_failures(self) -> None:
        """
        A run fails for a steep slope, for what is left, for a missing ending, and for errors.
        """
        steep, flat = Slope(1.5, 1, 2), Slope(0.5, 0, 1)
        reasons = {str(reason): 1 for reason in CloseReason}
        slopes = {"rss": flat, "objects": steep}
        assert Result(10, 1.0, reasons, slopes, {}, [], []).failures() == []
        bad = Result(10, 1.0, reasons | {"idle": 0}, {"rss": steep}, {"fds": 2}, ["loop: x"], [])
        assert bad.failures() == [
            "rss rises by 1.500 bytes a session, where it may by less than 1",
            "left: 2 fds",
            "none ended as idle",
            "loop: x",
        ]


class TestSlope:
    def test_of_a_line(self) -> None:
        """
        The slope of points on a line is the line's, and certain.
        """
        assert slope([(x, 3 * x + 7) for x in range(10)]) == Slope(3, 3, 3)

    def test_a_wild_point_does_not_bend_it(self) -> None:
        """
        One point far off does not change the slope, and stays within the interval.
        """
        points = [(float(x), 2.0 * x) for x in range(30)]
        points[7] = (7, 1e9)
        found = slope(points)
        assert found.value == 2
        assert found.low <= 2 <= found.high

    def test_of_noise(self) -> None:
        """
        The interval of what rises and falls by turns holds 0.
        """
        found = slope([(float(x), float(x % 2)) for x in range(40)])
        assert found.low <= 0 <= found.high

    def test_needs_three_points(self) -> None:
        """
        Two points have no interval.
        """
        with pytest.raises(ValueError, match="at least 3 points, not 2"):
            slope([(0, 0), (1, 1)])
