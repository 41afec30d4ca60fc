"""
ExpiringMap on its own: its hook, what it shares with a dict, and what it refuses.
"""

from __future__ import annotations

import copy
import functools
import gc
import math
import pickle
import weakref
from typing import Any

import pytest

from sessionstate import EvictionCause, ExpiringMap
from tests.hands import Hand, Told, Value, a_map, hand, told

__all__ = ["hand", "told"]  # fixtures


class TestHook:
    def test_every_way_out_is_told_once(self, hand: Hand, told: Told) -> None:
        """
        `del`, `pop`, `popitem`, `clear` and what expired before them, each with its cause.
        """
        entries = a_map(hand, told)
        for key in "abcdef":
            entries[key] = key
        entries.set("late", 1, ttl=1)
        entries.set("later", 2, ttl=1)
        hand.now += 1
        with pytest.raises(KeyError):
            del entries["late"]
        del entries["a"]
        assert entries.pop("b") == "b"
        assert entries.popitem() == ("f", "f")
        entries.clear()
        assert [(key, str(cause)) for key, _, cause in told] == [
            ("late", "expired"),
            ("a", "deleted"),
            ("b", "deleted"),
            ("later", "expired"),
            ("f", "deleted"),
            ("c", "cleared"),
            ("d", "cleared"),
            ("e", "cleared"),
        ]

    def test_a_hook_may_use_the_map(self, hand: Hand) -> None:
        """
        When the hook is called the map is in order, and holds the new value.
        """
        seen: list[object] = []

        def hook(key: str, value: int, cause: EvictionCause) -> None:
            entries._left or entries._check()
            seen.append((key, value, str(cause), entries.get(key)))
            if value == 1:
                entries["from the hook"] = 5
                entries.pop("b", None)

        entries: ExpiringMap[str, int] = ExpiringMap(clock=hand, on_evict=hook)
        entries.update(a=1, b=2)
        entries["a"] = 3
        assert seen == [("a", 1, "replaced", 3), ("b", 2, "deleted", None)]
        assert entries == {"a": 3, "from the hook": 5}

    def test_errors_of_the_hook_come_together_at_the_end(self, hand: Hand) -> None:
        """
        All hooks run, the map is as if none had failed, and then the errors are raised.
        """
        seen: list[str] = []

        def hook(key: str, value: int, cause: EvictionCause) -> None:
            seen.append(key)
            raise OSError(key)

        entries: ExpiringMap[str, int] = ExpiringMap(clock=hand, on_evict=hook)
        entries.update(a=1, b=2, c=3)
        with pytest.raises(ExceptionGroup, match="on_evict of ExpiringMap failed") as caught:
            entries["a"] = 4
        assert entries["a"] == 4
        with pytest.raises(ExceptionGroup) as caught:
            entries.clear()
        assert [str(error) for error in caught.value.exceptions] == ["a", "b", "c"]
        assert seen == ["a", "a", "b", "c"]
        assert len(entries) == 0
        entries._check()

    def test_a_fatal_error_of_the_hook_loses_nothing(self, hand: Hand) -> None:
        """
        What was not told because of a KeyboardInterrupt is told by the next write.
        """
        seen: list[str] = []

        def hook(key: str, value: int, cause: EvictionCause) -> None:
            seen.append(key)
            if key == "a":
                raise KeyboardInterrupt

        entries: ExpiringMap[str, int] = ExpiringMap(clock=hand, on_evict=hook)
        entries.update(a=1, b=2)
        with pytest.raises(KeyboardInterrupt):
            entries.clear()
        entries["c"] = 3
        assert seen == ["a", "b"]

    def test_reading_runs_no_hook(self, hand: Hand, told: Told) -> None:
        """
        Whoever reads cannot meet an error of somebody's hook.
        """
        entries = a_map(hand, told, ttl=1)
        entries["a"] = 1
        hand.now += 1
        assert len(entries) == 0
        assert entries.get("a") is None
        assert list(entries) == []
        assert told == []
        assert entries.expire() == 1
        assert told == [("a", 1, EvictionCause.EXPIRED)]

    def test_an_async_hook_is_refused(self, hand: Hand) -> None:
        """
        A container never waits: neither an async function nor a coroutine returned by surprise.
        """

        async def hook(*_: object) -> None: ...

        with pytest.raises(TypeError, match="must be a plain function"):
            ExpiringMap(on_evict=hook)
        given: Any = functools.partial(lambda call, *told: call(*told), hook)
        entries: ExpiringMap[str, int] = ExpiringMap(on_evict=given)
        entries["a"] = 1
        with pytest.raises(ExceptionGroup) as caught:
            del entries["a"]
        assert isinstance(caught.value.exceptions[0], TypeError)

    def test_causes_know_whether_somebody_asked(self) -> None:
        """
        Four causes are the container's own doing.
        """
        automatic = [str(cause) for cause in EvictionCause if cause.automatic]
        assert automatic == ["expired", "idle", "size", "weight"]


class TestMapping:
    def test_does_what_a_dict_does(self, hand: Hand) -> None:
        """
        The rest of a mapping's ways behave as those of a dict.
        """
        entries = a_map(hand, ttl=10, idle=5, maxsize=9)
        assert entries.setdefault("a", 1) == 1
        assert entries.setdefault("a", 2) == 1
        assert entries.pop("zz", 7) == 7
        for missing in (
            lambda: entries["zz"],
            lambda: entries.pop("zz"),
            lambda: entries.ttl("zz"),
        ):
            with pytest.raises(KeyError, match="zz"):
                missing()
        assert entries.get("zz", 3) == entries.peek("zz", 3) == 3
        assert not entries.touch("zz")
        entries.clear()
        assert not entries
        with pytest.raises(KeyError, match="the map is empty"):
            entries.popitem()

    def test_popitem_lets_go_of_what_has_expired_behind_the_last(
        self, hand: Hand, told: Told
    ) -> None:
        """
        What it passes over is told and gone, so that the next call does not pass it again.
        """
        entries = a_map(hand, told, ttl=5)
        entries.set("stays", 1, ttl=None)
        entries.update(a=2, b=3)
        hand.now += 5
        assert entries.popitem() == ("stays", 1)
        expired = [("b", 3, EvictionCause.EXPIRED), ("a", 2, EvictionCause.EXPIRED)]
        assert told == [*expired, ("stays", 1, EvictionCause.DELETED)]
        entries["c"] = 4
        hand.now += 5
        with pytest.raises(KeyError, match="the map is empty"):
            entries.popitem()
        assert told[3:] == [("c", 4, EvictionCause.EXPIRED)]
        entries._check()

    def test_iteration_is_over_a_snapshot(self, hand: Hand) -> None:
        """
        A map may be changed while somebody iterates.
        """
        entries = a_map(hand)
        entries.update(a=1, b=2)
        for key in entries:
            del entries[key]
        assert len(entries) == 0

    @pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_copies_are_refused(self, hand: Hand, copier: Any) -> None:
        """
        A copy would have the same hook and other times; the error says what to write instead.
        """
        with pytest.raises(TypeError, match=r"dict\(each.items\(\)\) copies what it holds"):
            copier(ExpiringMap())

    @pytest.mark.parametrize("options", [{}, {"maxsize": 10}, {"ttl": 5, "maxsize": 10}])
    def test_a_map_that_is_dropped_goes_at_once(self, hand: Hand, options: Any) -> None:
        """
        Neither the map nor its values wait for the garbage collector.
        """
        gc.disable()
        try:
            entries = a_map(hand, **options)
            values = [weakref.ref(entries.setdefault(number, Value())) for number in range(5)]
            entries[0], gone = Value(), weakref.ref(entries)
            assert values[0]() is None
            del entries[1]
            assert values[1]() is None
            del entries
            assert gone() is None
            assert [value() for value in values] == [None] * 5
        finally:
            gc.enable()


class TestNonsense:
    @pytest.mark.parametrize(
        ("options", "error", "advice"),
        [
            ({"ttl": 0}, ValueError, "write ttl=None for 'never'"),
            ({"ttl": -1}, ValueError, "ttl must be a finite number"),
            ({"idle": math.nan}, ValueError, "idle must be a finite number"),
            ({"idle": math.inf}, ValueError, "idle=None"),
            ({"ttl": "5"}, TypeError, "ttl must be seconds"),
            ({"ttl": True}, TypeError, "ttl must be seconds"),
            ({"maxsize": 0}, ValueError, "maxsize must be at least 1"),
            ({"maxsize": -3}, ValueError, "maxsize=None for no limit"),
            ({"maxsize": True}, TypeError, "maxsize must be a whole number"),
            ({"maxsize": 1.5}, TypeError, "maxsize must be a whole number"),
            ({"max_weight": 5}, ValueError, "belong together"),
            ({"weigher": len}, ValueError, "belong together"),
            ({"max_weight": 5, "weigher": 3}, TypeError, "weigher must be a function"),
            ({"on_evict": 3}, TypeError, "on_evict must be a function"),
            ({"clock": 3}, TypeError, "clock must be a function"),
            ({"supervisor": 3}, TypeError, "supervisor must be a Supervisor"),
            ({"session": "id"}, TypeError, "session must be a Session"),
            ({"session": 1, "supervisor": 1}, ValueError, "one owner"),
        ],
    )
    def test_is_refused_with_advice(
        self, options: dict[str, Any], error: type[Exception], advice: str
    ) -> None:
        """
        What cannot be meant is refused where it is written, and the error says what to write.
        """
        with pytest.raises(error, match=advice):
            ExpiringMap(**options)

    def test_of_one_entry_is_refused_with_advice(self) -> None:
        """
        The durations of an entry are checked as the map's are, before anything is written.
        """
        entries: ExpiringMap[str, int] = ExpiringMap()
        with pytest.raises(ValueError, match="ttl=None"):
            entries.set("a", 1, ttl=0)
        assert len(entries) == 0

    def test_defaults_read_well_in_signatures(self) -> None:
        """
        In `help()` the default of what was not named says whose value holds.
        """
        assert repr(ExpiringMap.set.__kwdefaults__["ttl"]) == "<the map's>"
