"""
The slope of a line through measured points, which a few wild ones do not bend: Theil and Sen's.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

NORMAL_95: Final = 1.959964  # standard deviations on either side that hold 95 %


@dataclass(frozen=True)
class Slope:
    """
    A rise per session, and between which values it lies with 95 % confidence.
    """

    value: float
    low: float
    high: float


def slope(points: Sequence[tuple[float, float]]) -> Slope:
    """
    Return the median of the slopes between any two of *points*, with Sen's interval.
    """
    if len(points) < 3:
        raise ValueError(f"a slope needs at least 3 points, not {len(points)}")
    slopes = sorted(
        (y2 - y1) / (x2 - x1)
        for i, (x1, y1) in enumerate(points)
        for x2, y2 in points[i + 1 :]
        if x1 != x2
    )
    n = len(points)
    reach = NORMAL_95 * sqrt(n * (n - 1) * (2 * n + 5) / 18)
    first = max(0, int((len(slopes) - reach) / 2))
    last = min(len(slopes) - 1, int((len(slopes) + reach) / 2))
    return Slope(median(slopes), slopes[first], slopes[last])
