"""
The slope over places that are not evenly apart, as requests between surveys are not.
"""

from __future__ import annotations

from math import inf

import pytest

from sessionstate._slopes import slope, slope_over

TWELVE = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0, 8.0]


def test_is_that_of_even_places() -> None:
    """
    Over places that are evenly apart it is the slope that was always told.
    """
    assert slope_over([100 * number for number in range(12)], TWELVE) == slope(TWELVE, 100)


def test_does_not_depend_on_where_it_begins() -> None:
    """
    Only the requests between the samples count.
    """
    places = [0, 5, 6, 20, 21, 22, 50, 51, 90, 91, 92, 100]
    assert slope_over([10**9 + place for place in places], TWELVE) == slope_over(places, TWELVE)


def test_line_over_uneven_places() -> None:
    """
    Samples on a line have its slope, however the requests came.
    """
    places = [0, 1, 2, 50, 51, 400, 1000, 1001, 1002, 1003]
    found = slope_over(places, [place * 2.0 for place in places])
    assert (found.value, found.low, found.high, found.halves) == (2000, 2000, 2000, (2000, 2000))


def test_burst_is_not_growth() -> None:
    """
    What comes with many requests at once counts by these, not by the surveys.
    """
    places = [*range(10), *range(1000, 1010)]
    found = slope_over(places, [0.0] * 10 + [1.0] * 10)
    assert 0 < found.value <= 1000 / 990
    assert found.halves[1] == 0


@pytest.mark.parametrize("samples", [3, 4, 5])
def test_few_samples(samples: int) -> None:
    """
    Three samples have a slope, and nothing is known of how sure it is.
    """
    found = slope_over(range(samples), [float(number) for number in range(samples)])
    assert (found.value, found.low, found.high) == (1000, -inf, inf)
    assert found.halves == (1000, 1000)


def test_many_samples() -> None:
    """
    From where permutations are not counted any more, the interval is as wide as just before.
    """
    counted, normal = (
        slope_over(range(samples), [float(number % 7) for number in range(samples)])
        for samples in (40, 41)
    )
    assert counted.low < 0 < counted.high
    assert (normal.low, normal.high) == pytest.approx((counted.low, counted.high), rel=0.1)
