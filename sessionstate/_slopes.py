"""
How fast something grows: the Theil-Sen slope, and an interval from order statistics.

The slope is the median over all pairs of samples, which a few wild ones do not move. Of the true
slope it is known how many of those pairs lie below it if only chance orders the samples: as many as
a random permutation has inversions. That gives the interval, without any assumption about the noise
(Sen 1968; Hollander and Wolfe, section 9.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import inf, sqrt
from statistics import NormalDist, median
from typing import Final

CONFIDENCE: Final = 0.99
LAST: Final = 3
"""Samples at the end that have to agree."""
EXACT: Final = 40
"""Samples up to which permutations are counted; beyond, their number is normal to four digits."""


@dataclass(frozen=True, slots=True)
class Slope:
    """
    Growth per 1000 requests.
    """

    value: float
    low: float
    high: float
    """What it lies between, with 99 % confidence; infinite with too few samples."""
    halves: tuple[float, float]
    """The same of the first and of the second half of the samples."""
    late: float
    """By how much the last samples stand above all others, as if that came evenly."""


def slope(values: Sequence[float], requests: int) -> Slope:
    """
    Return the slope of *values*, which are *requests* apart.

    Runtime complexity: O(n² log n).
    """
    return slope_over(range(0, requests * len(values), requests), values)


def slope_over(places: Sequence[int], values: Sequence[float]) -> Slope:
    """
    Return the slope of *values*, which were taken after so many requests, no two at the same place.

    Runtime complexity: O(n² log n).
    """
    slopes = _pairwise(places, values)
    samples = len(values)
    left_out = _rank(samples)
    middle = samples // 2
    rise = min(values[-LAST:]) - max(values[:-LAST], default=inf)
    return Slope(
        median(slopes),
        slopes[left_out - 1] if left_out else -inf,
        slopes[-left_out] if left_out else inf,
        (
            median(_pairwise(places[: middle + 1], values[: middle + 1])),
            median(_pairwise(places[middle:], values[middle:])),
        ),
        rise * 1000 * (samples - 1) / ((places[-1] - places[0]) * samples),
    )


def _pairwise(places: Sequence[int], values: Sequence[float]) -> list[float]:
    # The differences of whole numbers are exact and a division rounds correctly: so is the order.
    points = list(zip(places, values, strict=True))
    return sorted(
        (later - value) * 1000 / (to - at)
        for first, (at, value) in enumerate(points)
        for to, later in points[first + 1 :]
    )


@lru_cache(maxsize=64)
def _rank(samples: int) -> int:
    """
    Return which slope from either end bounds the interval; 0 if there are too few.
    """
    pairs = samples * (samples - 1) // 2
    tail = (1 - CONFIDENCE) / 2
    if samples > EXACT:
        spread = sqrt(samples * (samples - 1) * (2 * samples + 5) / 72)
        return int(pairs / 2 - NormalDist().inv_cdf(1 - tail) * spread)
    shares = [1.0]
    for size in range(2, samples + 1):  # one more element has `size` places to go to
        sums = list(accumulate([*shares, *[0.0] * (size - 1)]))
        earlier = [0.0] * size + sums
        shares = [(high - low) / size for high, low in zip(sums, earlier, strict=False)]
    return sum(total <= tail for total in accumulate(shares))
