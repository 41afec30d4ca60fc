"""
ExpiringMap on its own: its times and its bounds.
"""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from sessionstate import EvictionCause
from tests.hands import Hand, Told, Value, a_map, hand, told

__all__ = ["hand", "told"]  # fixtures


class TestTimes:
    @pytest.mark.parametrize(
        "read", ["get", "in", "peek", "touch", "iterate", "len", "pop", "item"]
    )
    def test_an_entry_is_gone_at_its_deadline(self, hand: Hand, read: str) -> None:
        """
        Until just before its deadline an entry is there; at the very moment it is not.
        """
        entries = a_map(hand, ttl=10)

        def there() -> bool:
            reads = {
                "get": lambda: entries.get("a") is not None,
                "in": lambda: "a" in entries,
                "peek": lambda: entries.peek("a") is not None,
                "touch": lambda: entries.touch("a"),
                "iterate": lambda: list(entries) == ["a"],
                "len": lambda: len(entries) == 1,
                "pop": lambda: bool(entries.pop("a", None)),
                "item": lambda: bool(entries["a"]),
            }
            with suppress(KeyError):
                return bool(reads[read]())
            return False

        entries["a"] = 1
        hand.now = math.nextafter(110.0, 0)
        assert there()
        entries.set("a", 1, ttl=hand.now - 100)
        hand.now += hand.now - 100
        assert not there()

    @pytest.mark.parametrize("use", ["get", "touch", "__getitem__"])
    def test_whichever_deadline_comes_first(self, hand: Hand, told: Told, use: str) -> None:
        """
        An entry goes when it was not used for *idle*, and after *ttl* however much it was used.
        """
        entries = a_map(hand, told, ttl=10, idle=4)
        entries["used"] = entries["unused"] = 1
        for _ in range(3):
            hand.now += 3
            assert getattr(entries, use)("used") == 1
        assert entries.ttl("used") == 1
        hand.now += 1
        assert entries.expire() == 2
        assert sorted(told) == [
            ("unused", 1, EvictionCause.IDLE),
            ("used", 1, EvictionCause.EXPIRED),
        ]

    def test_looking_is_no_use(self, hand: Hand) -> None:
        """
        What only looks moves no deadline and no place in the order of use.
        """
        entries = a_map(hand, idle=10, maxsize=2)
        entries["a"] = 1
        entries["b"] = 2
        hand.now += 5
        assert "a" in entries
        assert entries.peek("a") == 1
        assert entries == {"a": 1, "b": 2}
        assert list(entries.keys()) == ["a", "b"]
        assert list(entries.values()) == [1, 2]
        assert list(entries.items()) == [("a", 1), ("b", 2)]
        assert repr(entries) == "<ExpiringMap of 2>"
        assert entries.ttl("a") == 5
        entries["c"] = 3
        assert "a" not in entries

    def test_an_entry_may_have_durations_of_its_own(self, hand: Hand) -> None:
        """
        `set` takes durations for one entry: None is never, and what is not named is the map's.
        """
        entries = a_map(hand, ttl=10, idle=5)
        entries.set("short", 1, ttl=timedelta(seconds=1))
        entries.set("for ever", 1, ttl=None, idle=None)
        entries.set("idle", 1, ttl=None)
        assert (entries.ttl("short"), entries.ttl("for ever"), entries.ttl("idle")) == (1, None, 5)
        hand.now += 1e9
        assert list(entries) == ["for ever"]
        entries._check()

    def test_a_shorter_write_replaces_a_longer_one(self, hand: Hand) -> None:
        """
        The last write decides, whether its deadline is earlier, later or never.
        """
        entries = a_map(hand)
        for ttl in (1000, 1, 2.0**-9, None, 5):
            entries.set("a", ttl, ttl=ttl)
            assert entries.ttl("a") == ttl
            entries._check()
        hand.now += 5
        assert entries.expire() == 1

    def test_the_clock_is_read_once(self, hand: Hand) -> None:
        """
        One operation has one time.
        """
        entries = a_map(hand, ttl=10, idle=5, maxsize=3)
        entries.update(a=1, b=2, c=3)
        for operation in (
            lambda: entries["a"],
            lambda: entries.get("a"),
            lambda: entries.touch("a"),
            lambda: entries.peek("a"),
            lambda: entries.ttl("a"),
            lambda: "a" in entries,
            lambda: len(entries),
            lambda: iter(entries),
            lambda: entries.setdefault("a", 1),
            lambda: entries.setdefault("d", 1),
            lambda: entries.set("e", 1, ttl=3),
            lambda: entries.__setitem__("f", 1),
            lambda: entries.pop("f"),
            entries.popitem,
            entries.expire,
            entries.clear,
        ):
            hand.reads = 0
            operation()
            assert hand.reads == 1

    def test_a_clock_that_jumps_breaks_nothing(self, hand: Hand) -> None:
        """
        Set back, entries live longer by the jump; set ahead, they expire; the map stays in order.
        """
        entries = a_map(hand, ttl=10, idle=5, maxsize=3)
        entries["a"] = 1
        hand.now = 0
        assert entries["a"] == 1
        entries["b"] = 2
        entries._check()
        assert (entries.ttl("a"), entries.ttl("b")) == (105, 5)
        hand.now = 1e12
        assert len(entries) == 0
        hand.now = 0
        assert "a" not in entries, "what was found to be gone does not come back"
        entries["a"] = 3
        assert entries == {"a": 3}
        entries._check()

    @pytest.mark.parametrize("key", ["", 0, None, (), ("a", 1), frozenset(), 1.5])
    def test_any_hashable_key_will_do(self, hand: Hand, key: object) -> None:
        """
        Keys that are false or equal to nothing are keys like others.
        """
        entries = a_map(hand, ttl=10, maxsize=1)
        entries["other"] = 0
        entries[key] = 1
        assert dict(entries) == {key: 1}
        assert entries.touch(key)
        entries["other"] = 0
        assert key not in entries

    def test_a_key_that_cannot_be_hashed_changes_nothing(self, hand: Hand) -> None:
        """
        An unhashable key is refused as a dict refuses it.
        """
        entries = a_map(hand, ttl=10, maxsize=1)
        with pytest.raises(TypeError, match="unhashable"):
            entries[[]] = 1
        entries._check()
        assert len(entries) == 0


class TestBounds:
    def test_what_has_expired_goes_first(self, hand: Hand, told: Told) -> None:
        """
        Room is made of what has expired, before anything alive has to go.
        """
        entries = a_map(hand, told, maxsize=2)
        entries["alive"] = 1
        entries.set("short", 2, ttl=1)
        hand.now += 1
        entries["new"] = 3
        assert told == [("short", 2, EvictionCause.EXPIRED)]
        entries["newer"] = 4
        assert told[1:] == [("alive", 1, EvictionCause.SIZE)]

    def test_writing_over_an_entry_evicts_nobody(self, hand: Hand, told: Told) -> None:
        """
        An overwrite is no admission.
        """
        entries = a_map(hand, told, maxsize=2)
        entries.update(a=1, b=2)
        entries["a"] = 3
        assert told == [("a", 1, EvictionCause.REPLACED)]
        assert entries == {"a": 3, "b": 2}

    def test_writing_the_same_object_replaces_nothing(self, hand: Hand, told: Told) -> None:
        """
        The hook would close what is still in use.
        """
        entries = a_map(hand, told, ttl=10)
        value = entries["a"] = Value()
        hand.now += 5
        entries["a"] = value
        assert told == []
        assert entries.ttl("a") == 10

    def test_weight_evicts_until_it_fits(self, hand: Hand, told: Told) -> None:
        """
        A heavier value makes room for itself, at the expense of what was used least recently.
        """
        entries = a_map(hand, told, max_weight=10, weigher=lambda _, value: len(value))
        entries.update(a="aaa", b="bbb", c="ccc")
        assert entries["a"]
        entries["c"] = "c" * 7
        assert told == [
            ("c", "ccc", EvictionCause.REPLACED),
            ("b", "bbb", EvictionCause.WEIGHT),
        ]
        del entries["a"]
        entries["d"] = "ddd"
        assert entries == {"c": "c" * 7, "d": "ddd"}
        entries._check()

    def test_what_can_never_fit_is_refused(self, hand: Hand, told: Told) -> None:
        """
        An entry heavier than the map may be is an error, and the map is as it was.
        """
        entries = a_map(hand, told, max_weight=10, weigher=lambda _, value: len(value))
        entries["a"] = "aaa"
        with pytest.raises(ValueError, match="'a' weighs 11, more than the map may altogether"):
            entries["a"] = "a" * 11
        assert entries == {"a": "aaa"}
        assert told == []

    @pytest.mark.parametrize("weight", [-1, 1.5, None, True, math.nan, "heavy"])
    def test_a_weigher_that_returns_nonsense_leaves_the_map_as_it_was(
        self, hand: Hand, weight: object
    ) -> None:
        """
        A weight is a whole number, at least 0.
        """
        weights: list[Any] = [1, weight, 0]
        entries = a_map(hand, max_weight=10, weigher=lambda *_: weights.pop(0))
        entries["a"] = 1
        with pytest.raises(ValueError, match="must be a whole number, at least 0"):
            entries["b"] = 2
        entries["c"] = 3
        assert entries == {"a": 1, "c": 3}
        entries._check()

    def test_a_weigher_that_raises_leaves_the_map_as_it_was(self, hand: Hand) -> None:
        """
        Its error reaches the writer, and nothing was written.
        """
        entries = a_map(hand, max_weight=10, weigher=lambda _, value: 1 // value)
        entries["a"] = 1
        with pytest.raises(ZeroDivisionError):
            entries["a"] = 0
        assert entries == {"a": 1}
        entries._check()

    def test_a_write_lets_go_of_a_bounded_number(self, hand: Hand) -> None:
        """
        No single write pays for all that has expired; reads are right all the same.
        """
        entries = a_map(hand, ttl=10)
        for number in range(200):
            entries[number] = number
        hand.now += 10
        entries["new"] = 1
        assert 100 < len(entries._entries) < 200
        assert len(entries) == 1
        for number in range(3):
            entries["new"] = number
        assert len(entries._entries) == 1
        entries._check()

    def test_writing_over_what_has_expired_replaces_nothing(self, hand: Hand, told: Told) -> None:
        """
        The old value is told as expired, also where it is written over before its turn.
        """
        entries = a_map(hand, told, ttl=10)
        for number in range(200):
            entries[number] = 1
        hand.now += 10
        for number in range(200):
            entries[number] = 2
        assert {cause for _, _, cause in told} == {EvictionCause.EXPIRED}
        assert len(told) == len(entries) == 200
        entries._check()

    def test_a_full_map_finds_what_has_expired_beyond_the_batch(self, hand: Hand) -> None:
        """
        Entries that were used lately, and are looked at first, cost nobody alive the place.
        """
        entries = a_map(hand, idle=10, maxsize=301)
        entries["alive"] = 1
        for number in range(300):
            entries[number] = number
        hand.now += 9
        assert entries.touch("alive")
        for number in range(1, 300):
            entries.touch(number)
        hand.now += 1
        entries["new"] = 1
        assert 0 not in entries
        assert len(entries) == 301

    def test_a_full_map_lets_go_of_what_has_expired_though_it_was_used_last(
        self, hand: Hand
    ) -> None:
        """
        What was used last and has expired goes before what was used long ago and has not.
        """
        entries = a_map(hand, idle=10, maxsize=301)
        entries.set("expires", 0, ttl=10, idle=None)
        for number in range(300):
            entries[number] = number
        hand.now += 9
        for number in range(300):
            entries.touch(number)
        assert entries.touch("expires")
        hand.now += 1
        entries["new"] = 1
        assert list(entries) == [*range(300), "new"]
