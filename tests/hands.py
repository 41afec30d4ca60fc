"""
What the containers' tests go by: clocks that are moved by hand.
"""

from __future__ import annotations

from typing import Any

import pytest

from sessionstate import EvictionCause, ExpiringMap, ReplayGuard

Told = list[tuple[Any, Any, EvictionCause]]

EPOCH = 1_700_000_000.0


class Value:
    """
    Something that can be watched.
    """


class Hand:
    """
    A clock that is moved by hand, and counts how often it is read.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.reads = 0

    def __call__(self) -> float:
        """
        Tell the time.
        """
        self.reads += 1
        return self.now


def a_map(hand: Hand, told: Told | None = None, **options: Any) -> ExpiringMap[Any, Any]:
    """
    Make a map by *hand* that tells *told*.
    """
    hook = None if told is None else lambda *out: told.append(out)
    return ExpiringMap(clock=hand, on_evict=hook, **options)


class Times:
    """
    A monotonic and a wall clock, moved by hand.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.wall = EPOCH

    def wait(self, seconds: float) -> None:
        """
        Let both go on.
        """
        self.now += seconds
        self.wall += seconds

    def guard(self, **options: Any) -> ReplayGuard:
        """
        Make a guard that goes by these.
        """
        return ReplayGuard(
            **{"window": 300, **options}, clock=lambda: self.now, wall_clock=lambda: self.wall
        )


@pytest.fixture
def hand() -> Hand:
    """
    Give a clock.
    """
    return Hand()


@pytest.fixture
def told() -> Told:
    """
    Give a list for what the hook is told.
    """
    return []


@pytest.fixture
def times() -> Times:
    """
    Give two clocks.
    """
    return Times()
