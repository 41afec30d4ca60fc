"""
What is a leak, what is not, and what cannot be told yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from math import ceil
from typing import Final, Literal

from sessionstate._slopes import Slope

FEWEST_SAMPLES: Final = 20
LEAST_WARM_UP: Final = 0.3

Kind = Literal["invariant", "container", "site", "rest", "total", "rss"]


class Verdict(StrEnum):
    """
    What a leak check answers.

    .. versionadded:: 0.1
    """

    LEAK = "leak"
    """It grows with every request, for as long as was looked."""
    BOUNDED = "bounded"
    """It does not grow, or by less than the floor, or it has stopped growing."""
    INCONCLUSIVE = "inconclusive"
    """More requests are needed to tell."""


@dataclass(frozen=True, slots=True)
class LeakRow:
    """
    One thing that was counted or weighed after each round.

    .. versionadded:: 0.1
    """

    name: str
    """What it is: ``asyncio tasks``, a map, ``file:line`` of an allocation."""

    kind: Kind
    """``invariant``: counted, exactly. ``container``: entries of a container of sessionstate that
    nothing will remove. ``site``: bytes allocated at one place. ``rest``: those of all places that
    are not told, in what is written of a report. ``total``: all bytes allocated. ``rss``: what the
    system says, which never decides."""

    unit: str
    """``bytes``, or what is counted."""

    slope: float
    """Growth per 1000 requests."""

    low: float
    """The lower end of its interval, with 99 % confidence."""

    high: float
    """The upper end."""

    floor: float
    """What is not taken for growth; 0 for what is counted."""

    verdict: Verdict | None
    """None for what is only shown."""

    values: tuple[float, ...] = field(repr=False)
    """The sample of each round, warm-up included."""

    example: str = ""
    """The oldest one that is left, or the line that allocates."""

    where: str = ""
    """Where that comes from, as ``file:line``, if it is known."""


def judge_count(values: Sequence[float], slope: Slope) -> Verdict:
    """
    Judge what was counted: no chance is involved, but what is made once is no leak.

    Where a pool breathes beside a leak, or a leak has just begun, more is needed to tell.
    """
    third = len(values) // 3
    first, second, last = values[:third], values[third:-third], values[-third:]
    if min(second) > max(first) and min(last) > max(second):
        return Verdict.LEAK
    begins = min(values[-2:]) > max(values[:-2])
    grows = min(last) > max(first) or slope.low > 0 or begins
    return Verdict.INCONCLUSIVE if grows else Verdict.BOUNDED


def judge_bytes(slope: Slope, samples: int, floor: float) -> Verdict:
    """
    Judge what was weighed.
    """
    if samples < FEWEST_SAMPLES:
        return Verdict.INCONCLUSIVE
    end = slope.halves[1]
    if slope.low > floor and end > floor / 2:
        return Verdict.LEAK
    if max(end, slope.late) <= floor and min(slope.high, 2 * end) <= floor:
        return Verdict.BOUNDED  # it does not grow, or has stopped
    return Verdict.INCONCLUSIVE


def deciding(rows: Sequence[LeakRow]) -> list[LeakRow]:
    """
    Return the rows that decide.

    If the whole does not grow, no site does: memory has only changed the place that allocates it.
    """
    total = next(row.verdict for row in rows if row.kind == "total")
    apart = {"rss", "site"} if total is Verdict.BOUNDED else {"rss"}
    return [row for row in rows if row.kind not in apart]


def overall(rows: Sequence[LeakRow]) -> Verdict:
    """
    Return what all *rows* together say.
    """
    verdicts = {row.verdict for row in deciding(rows)}
    for verdict in (Verdict.LEAK, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.BOUNDED


def warm_up_rounds(rounds: int, share: float) -> int:
    """
    Return how many of *rounds* are warm-up, which leaves three at least.
    """
    return min(ceil(rounds * share), rounds - 3)


def more_rounds(row: LeakRow, rounds: int, dropped: int) -> int:
    """
    Return how many more rounds might tell what *row* cannot, with as large a share of warm-up.
    """
    kept = rounds - dropped
    least = dropped == warm_up_rounds(rounds, LEAST_WARM_UP)
    share = LEAST_WARM_UP if least else dropped / rounds
    wanted = float(FEWEST_SAMPLES)
    if row.kind in ("invariant", "container"):
        wanted = 2 * kept
    elif kept >= FEWEST_SAMPLES:
        # The interval narrows with the power 3/2 of the number of samples.
        distance = max(abs(row.slope - row.floor), 0.1 * row.floor, 1.0)
        ratio = (row.high - row.low) / distance
        wanted = kept * min(max(ratio ** (2 / 3), 1.5), 8.0)
    return next(more for more in count(1) if _kept(rounds + more, share) >= wanted)


def _kept(rounds: int, share: float) -> int:
    return rounds - warm_up_rounds(rounds, share)
