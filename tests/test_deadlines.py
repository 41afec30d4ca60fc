"""
The deadline queue, the clock and the seconds it counts in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstate._clock import UNSET, clock_of, limit, seconds
from sessionstate._deadlines import CHUNK, FINEST, DeadlineQueue, discard, grain_of
from sessionstate.testing import VirtualClock


class Item:
    def __init__(self, name: object = "") -> None:
        self.name = name
        self._chunk: dict[Any, None] | None = None

    def __repr__(self) -> str:
        return f"Item({self.name})"


def names(queue: DeadlineQueue[Item]) -> list[object]:
    """
    List what *queue* holds, in its order.
    """
    return [item.name for item in queue]


class TestGrain:
    @given(st.floats(min_value=1e-3, max_value=1e9))
    def test_is_a_power_of_two_at_most_a_256th(self, timeout: float) -> None:
        """
        The granularity is a power of two, at most a 256th of the timeout, or 1/256 s.
        """
        grain = grain_of(timeout)
        assert grain <= max(timeout / 256, FINEST)
        assert grain > timeout / 1024 or grain == FINEST
        assert grain.as_integer_ratio()[0] == 1 or grain == int(grain)
        assert float.hex(grain).startswith("0x1.0000000000000p")

    def test_of_never_is_infinite(self) -> None:
        """
        What never comes needs no granularity.
        """
        assert grain_of(inf) == inf


class TestDeadlineQueue:
    @given(st.floats(min_value=0, max_value=1e8), st.floats(min_value=1e-3, max_value=1e7))
    def test_never_early_and_late_by_a_256th_at_most(self, now: float, timeout: float) -> None:
        """
        A tick is never before its deadline, and at most 1/256 of the timeout or 5 ms after it.
        """
        due = now + timeout
        tick = DeadlineQueue[Item]().add(Item(), due, grain_of(timeout))
        assert due <= tick <= due + max(timeout / 256, 0.005)

    def test_all_granularities_stand_in_one_order(self) -> None:
        """
        Deadlines of long and short timeouts come up in the order of their ticks.
        """
        queue = DeadlineQueue[Item]()
        for name, due, timeout in [
            ("long", 5000.0, 5000.0),
            ("never", inf, inf),
            ("short", 3.0, 3.0),
        ]:
            queue.add(Item(name), due, grain_of(timeout))
        queue.add(Item("middle"), 5000.0, grain_of(1.0))
        assert names(queue) == ["short", "middle", "long", "never"]
        assert len(queue) == 4
        queue._check()

    def test_keeps_the_order_of_arrival_within_a_tick(self) -> None:
        """
        Within one tick the first to come is the first to be looked at.
        """
        queue = DeadlineQueue[Item]()
        for name in range(5):
            queue.add(Item(name), 1.0, FINEST)
        assert names(queue) == [0, 1, 2, 3, 4]

    def test_discards_for_real(self) -> None:
        """
        Nothing of what was discarded stays, and an emptied tick goes as soon as it would be next.
        """
        queue = DeadlineQueue[Item]()
        first, second = Item(1), Item(2)
        queue.add(first, 1.0, FINEST)
        queue.add(second, 2.0, FINEST)
        discard(first)
        assert first._chunk is None
        assert names(queue) == [2]
        assert queue.next_tick() == 2.0
        assert len(queue._ticks) == 1

    def test_discarding_what_is_not_queued_does_nothing(self) -> None:
        """
        An item that is not queued may be discarded.
        """
        queue = DeadlineQueue[Item]()
        queue.add(Item(1), 1.0, FINEST)
        discard(Item(2))
        assert names(queue) == [1]

    def test_gives_what_is_due_and_nothing_else(self) -> None:
        """
        A chunk is given once its tick has come, not before.
        """
        queue = DeadlineQueue[Item]()
        item = Item(1)
        queue.add(item, 1.0, FINEST)
        assert queue.due(0.999) is None
        assert queue.due(1.0) == {item: None}

    def test_is_empty_for_ever_without_items(self) -> None:
        """
        An empty queue has no next tick and nothing due.
        """
        queue = DeadlineQueue[Item]()
        assert queue.next_tick() == inf
        assert queue.due(1e300) is None
        assert names(queue) == []

    def test_bounds_its_dicts(self) -> None:
        """
        A tick with many items holds them in several dicts, none of which is ever copied to grow.
        """
        queue = DeadlineQueue[Item]()
        for name in range(2 * CHUNK + 1):
            queue.add(Item(name), 1.0, FINEST)
        queue._check()
        sizes = []
        while (chunk := queue.due(1.0)) is not None:
            sizes.append(len(chunk))
            chunk.clear()
        assert sizes == [1, CHUNK, CHUNK]
        assert queue.next_tick() == inf


class ShiftedLoop(asyncio.SelectorEventLoop):
    def time(self) -> float:
        """
        Return a time of its own.
        """
        return super().time() + 1000


class TestClock:
    def test_is_the_real_one_on_a_real_loop(self) -> None:
        """
        On asyncio's own loops the clock is `time.monotonic`, which is the same at half the cost.
        """
        loop = asyncio.SelectorEventLoop()
        try:
            assert clock_of(loop) is time.monotonic
        finally:
            loop.close()

    def test_is_the_real_one_on_uvloop(self) -> None:
        """
        On uvloop the clock is `time.monotonic`, which is not rounded to milliseconds.
        """
        uvloop = pytest.importorskip("uvloop")
        loop = uvloop.new_event_loop()
        try:
            assert clock_of(loop) is time.monotonic
        finally:
            loop.close()

    @pytest.mark.parametrize("kind", [VirtualClock().new_event_loop, ShiftedLoop])
    def test_is_the_loops_where_it_has_its_own(
        self, kind: Callable[[], asyncio.AbstractEventLoop]
    ) -> None:
        """
        A loop class with a time of its own is taken at its word.
        """
        loop = kind()
        try:
            assert clock_of(loop) == loop.time
        finally:
            loop.close()

    def test_is_the_loops_where_it_was_patched(self) -> None:
        """
        A loop whose `time` was replaced on the instance is taken at its word.
        """
        loop = asyncio.SelectorEventLoop()
        try:
            vars(loop)["time"] = lambda: 7.0
            assert clock_of(loop)() == 7.0
        finally:
            loop.close()


class TestSeconds:
    @pytest.mark.parametrize(
        ("value", "expected"), [(1, 1.0), (0.5, 0.5), (timedelta(minutes=2), 120.0)]
    )
    def test_takes_numbers_and_timedeltas(self, value: Any, expected: float) -> None:
        """
        A duration is a number of seconds or a timedelta.
        """
        assert seconds("x", value) == limit("x", value) == expected

    def test_zero_only_where_it_means_something(self) -> None:
        """
        Zero is accepted where it has a meaning.
        """
        assert seconds("x", 0, zero=True) == 0.0
        assert seconds("x", timedelta(0), zero=True) == 0.0

    def test_none_is_never(self) -> None:
        """
        No limit is an infinite one inside.
        """
        assert limit("x", None) == inf

    def test_unset_reads_well_in_signatures(self) -> None:
        """
        In `help()` the default of what was not named says whose value holds.
        """
        assert repr(UNSET) == "<the supervisor's>"
