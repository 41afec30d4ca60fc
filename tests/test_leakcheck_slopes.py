"""
The statistics of the leak check: slopes, their intervals, and what is concluded from them.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations
from math import inf
from random import Random

import pytest

from sessionstate import _slopes as slopes
from sessionstate._slopes import Slope, slope
from sessionstate.testing import LeakRow, Verdict
from sessionstate.testing._verdicts import judge_bytes, judge_count, more_rounds, overall

FLOOR = 8192.0


def line(per_1000: float, *, samples: int = 21, requests: int = 150) -> list[float]:
    """
    Return samples that grow evenly.
    """
    return [per_1000 * requests * number / 1000 for number in range(samples)]


def row(**values: object) -> LeakRow:
    """
    Return a row with *values* where it matters.
    """
    plain = LeakRow("memory", "total", "bytes", 0.0, 0.0, 0.0, FLOOR, Verdict.BOUNDED, (0.0,))
    return replace(plain, **values)  # type: ignore[arg-type]


class TestSlope:
    def test_of_a_line_is_known_exactly(self) -> None:
        """
        Samples on a line have its slope, in both halves, and an interval without width.
        """
        found = slope(line(2000.0), 150)
        assert replace(found, late=0.0) == Slope(2000.0, 2000.0, 2000.0, (2000.0, 2000.0), 0.0)

    def test_what_rises_at_the_end_is_late(self) -> None:
        """
        Where the last three samples stand above all others, it is said by how much, all in all.
        """
        flat = [5.0] * 18
        assert slope([*flat, 110.0, 120.0, 115.0], 150).late == pytest.approx(105 / 3.15)
        assert slope([*flat, 110.0, 5.0, 115.0], 150).late == 0

    def test_wild_samples_do_not_move_it(self) -> None:
        """
        A fifth of the samples may be anything.
        """
        values = line(2000.0)
        for number in (3, 8, 12, 17):
            values[number] += 1e9
        assert slope(values, 150).value == pytest.approx(2000.0, rel=0.01)

    def test_interval_holds_the_truth(self) -> None:
        """
        Of 1000 noisy series without growth, some 10 have an interval that leaves out zero.
        """
        random = Random(1)
        wrong = 0
        for _ in range(1000):
            found = slope([random.gauss(0, 1000) for _ in range(21)], 150)
            wrong += not found.low <= 0 <= found.high
        assert 2 <= wrong <= 18

    def test_few_samples_have_no_interval(self) -> None:
        """
        With five samples, even those on a line may have come so by chance.
        """
        found = slope(line(2000.0, samples=5), 150)
        assert (found.value, found.low, found.high) == (2000.0, -inf, inf)

    @pytest.mark.parametrize("samples", [6, 7, 8])
    def test_rank_is_counted_over_all_orders(self, samples: int) -> None:
        """
        So many slopes are cut off at each end that chance alone passes them in 1 of 200 cases.
        """
        inversions = [
            sum(one > other for one, other in combinations(order, 2))
            for order in permutations(range(samples))
        ]
        rank = slopes._rank(samples)
        tail = [sum(each < cut for each in inversions) for cut in (rank, rank + 1)]
        assert tail[0] / len(inversions) <= 0.005 < tail[1] / len(inversions)

    def test_rank_of_many_samples_is_close_to_the_counted_one(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Where permutations are not counted any more, the normal distribution says the same.
        """
        exact = [slopes._rank.__wrapped__(samples) for samples in (30, 35, 40)]
        monkeypatch.setattr(slopes, "EXACT", 0)
        normal = [slopes._rank.__wrapped__(samples) for samples in (30, 35, 40)]
        assert all(abs(one - other) <= 2 for one, other in zip(exact, normal, strict=True))


class TestCount:
    @pytest.mark.parametrize(
        ("values", "verdict"),
        [
            ([0, 0, 0, 0, 0, 0], Verdict.BOUNDED),
            ([5, 6, 7, 8, 9, 10], Verdict.LEAK),
            ([5, 5, 6, 6, 7, 7], Verdict.LEAK),
            ([0, 1, 0, 1, 0, 1], Verdict.BOUNDED),  # in flight
            ([3, 3, 3, 3, 0, 0], Verdict.BOUNDED),
            ([0, 1, 1, 1, 1, 1], Verdict.BOUNDED),  # made once
            ([0, 0, 0, 0, 1, 1], Verdict.INCONCLUSIVE),  # once, or seldom
            ([1, 2, 3], Verdict.LEAK),
            ([2, 0, 2, 0, 2, 0, 0, 3, 4], Verdict.INCONCLUSIVE),  # it may have begun
            ([2 * n + n * 7 % 17 for n in range(21)], Verdict.INCONCLUSIVE),  # it breathes
        ],
    )
    def test_a_leak_grows_from_third_to_third(self, values: list[int], verdict: Verdict) -> None:
        """
        What is counted leaks if it has grown, and again; what is made once does not.
        """
        assert judge_count(values, slope(values, 150)) is verdict


class TestBytes:
    @pytest.mark.parametrize(
        ("found", "samples", "verdict"),
        [
            (Slope(24e3, 20e3, 28e3, (20e3, 20e3), 1e3), 20, Verdict.LEAK),
            (Slope(24e3, 20e3, 28e3, (20e3, 20e3), 1e3), 19, Verdict.INCONCLUSIVE),
            (Slope(1e3, 0.0, 2e3, (1e3, 1e3), 1e3), 20, Verdict.BOUNDED),
            (Slope(1e3, 0.0, 2e3, (1e3, 1e3), 1e3), 19, Verdict.INCONCLUSIVE),
            (Slope(24e3, 20e3, 28e3, (40e3, 1e3), 1e3), 20, Verdict.BOUNDED),  # a cache has filled
            (Slope(24e3, 4e3, 44e3, (20e3, 20e3), 1e3), 20, Verdict.INCONCLUSIVE),
            (Slope(24e3, 9e3, 44e3, (0e3, 40e3), 1e3), 20, Verdict.LEAK),  # it began late
            (Slope(24e3, 4e3, 44e3, (0e3, 40e3), 1e3), 20, Verdict.INCONCLUSIVE),
            (Slope(1e3, 0.0, 2e3, (0e3, 9e3), 1e3), 20, Verdict.INCONCLUSIVE),
            (Slope(0e3, 0.0, 1e3, (0e3, 0e3), 9e3), 20, Verdict.INCONCLUSIVE),  # later still
            (Slope(24e3, 20e3, 28e3, (40e3, 1e3), 9e3), 20, Verdict.INCONCLUSIVE),
        ],
    )
    def test_a_leak_is_above_the_floor_and_goes_on(
        self, found: Slope, samples: int, verdict: Verdict
    ) -> None:
        """
        Bytes leak if the whole interval is above the floor, and are bounded if the end lies flat.
        """
        assert judge_bytes(found, samples, FLOOR) is verdict


class TestOverall:
    def test_one_leak_is_enough(self) -> None:
        """
        Something that leaks decides, whatever else cannot be told.
        """
        unsure = row(verdict=Verdict.INCONCLUSIVE)
        leak = row(kind="invariant", verdict=Verdict.LEAK)
        assert overall([leak, unsure]) is Verdict.LEAK
        assert overall([row(kind="invariant"), unsure]) is Verdict.INCONCLUSIVE
        assert overall([row(kind="invariant"), row()]) is Verdict.BOUNDED

    def test_rss_never_decides(self) -> None:
        """
        What the system says about memory is shown only.
        """
        assert overall([row(), row(kind="rss", verdict=Verdict.LEAK)]) is Verdict.BOUNDED

    def test_a_site_needs_the_whole_to_grow(self) -> None:
        """
        Memory that moves from one site to another is no leak of either.
        """
        site = row(kind="site", verdict=Verdict.LEAK)
        assert overall([site, row()]) is Verdict.BOUNDED
        assert overall([site, row(verdict=Verdict.INCONCLUSIVE)]) is Verdict.LEAK


class TestMore:
    def test_samples_that_are_missing(self) -> None:
        """
        With too few samples, it takes as many rounds as leave twenty after the warm-up.
        """
        assert more_rounds(row(), rounds=10, dropped=3) == 19
        assert more_rounds(row(), rounds=5, dropped=2) == 24

    def test_a_count_is_looked_at_again_as_long(self) -> None:
        """
        What was left once will have been left twice in as many rounds again, or not.
        """
        assert more_rounds(row(kind="invariant"), rounds=30, dropped=9) == 30

    def test_a_wide_interval_takes_more(self) -> None:
        """
        The wider the interval beside its distance from the floor, the more rounds it takes.
        """
        close = row(slope=2 * FLOOR, low=0.0, high=4 * FLOOR)
        wide = row(slope=2 * FLOOR, low=-8 * FLOOR, high=12 * FLOOR)
        more = [more_rounds(each, rounds=30, dropped=9) for each in (close, wide)]
        assert 15 < more[0] < more[1] <= 7 * 30
