"""
LRUCache: its order, its hook, and a model.
"""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sessionstate import EvictionCause, LRUCache
from sessionstate.containers import _container

KEYS: list[Any] = ["", 0, None, (), ("a", 1), "b"]
KEY = st.sampled_from(KEYS)


class Value:
    """
    Something that can be watched.
    """


class TestLRUCache:
    def test_is_noted_by_who_looks_for_leaks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A container of nobody's is known to the testing kit, and to nothing where that is not used.
        """
        noted: list[object] = []
        monkeypatch.setattr(_container, "alone", noted.append)
        cache = LRUCache[str, int](maxsize=1)
        assert noted == [cache]
        monkeypatch.setattr(_container, "alone", None)
        LRUCache[str, int](maxsize=1)
        assert noted == [cache]

    def test_keeps_what_was_used_last(self) -> None:
        """
        When there is no room, what was used least recently goes; looks are no use.
        """
        cache: LRUCache[str, int] = LRUCache(maxsize=3)
        cache.update(a=1, b=2, c=3)
        assert cache["a"] == 1
        assert cache.get("b") == 2
        assert "c" in cache
        assert cache.peek("c") == 3
        assert cache == {"a": 1, "b": 2, "c": 3}
        assert list(cache) == list(cache.keys()) == ["c", "a", "b"]
        assert list(cache.values()) == [3, 1, 2]
        assert list(cache.items()) == [("c", 3), ("a", 1), ("b", 2)]
        cache["d"] = 4
        assert list(cache) == ["a", "b", "d"]
        assert repr(cache) == "<LRUCache of 3>"

    def test_without_a_bound_it_is_a_dict_with_a_hook(self) -> None:
        """
        `maxsize=None` has to be written, and is no limit.
        """
        cache: LRUCache[int, int] = LRUCache(maxsize=None)
        for number in range(100):
            cache[number] = number
        assert len(cache) == 100
        assert cache.pop(50) == 50
        assert 50 not in cache

    def test_every_way_out_is_told_once(self) -> None:
        """
        Each entry that leaves is told with its cause; the same object again is no replacement.
        """
        told: list[Any] = []
        cache: LRUCache[str, Any] = LRUCache(maxsize=3, on_evict=lambda *out: told.append(out))
        value = cache["a"] = Value()
        cache["a"] = value
        cache.update(b=1, c=2)
        cache["b"] = 3
        cache["d"] = 4
        del cache["c"]
        assert cache.pop("c", None) is None
        assert cache.popitem() == ("d", 4)
        cache.clear()
        assert told == [
            ("b", 1, EvictionCause.REPLACED),
            ("a", value, EvictionCause.SIZE),
            ("c", 2, EvictionCause.DELETED),
            ("d", 4, EvictionCause.DELETED),
            ("b", 3, EvictionCause.CLEARED),
        ]

    def test_a_hook_may_use_the_cache_and_its_errors_come_last(self) -> None:
        """
        As of an ExpiringMap.
        """

        def hook(key: str, value: int, cause: EvictionCause) -> None:
            cache.pop("b", None)
            raise OSError(key)

        cache: LRUCache[str, int] = LRUCache(maxsize=2, on_evict=hook)
        cache.update(a=1, b=2)
        with pytest.raises(ExceptionGroup, match="on_evict of LRUCache failed"):
            cache["c"] = 3
        assert cache == {"c": 3}
        cache._check()

    def test_what_is_not_there(self) -> None:
        """
        A missing key is what it is for a dict.
        """
        cache: LRUCache[str, int] = LRUCache(maxsize=2)
        assert cache.get("a") is None
        assert cache.get("a", 1) == cache.peek("a", 1) == cache.pop("a", 1) == 1
        assert cache.peek("a") is None
        for missing in (lambda: cache["a"], lambda: cache.pop("a"), cache.popitem):
            with pytest.raises(KeyError):
                missing()
        with pytest.raises(KeyError):
            del cache["a"]

    @pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_copies_are_refused(self, copier: Any) -> None:
        """
        The error says what to write instead.
        """
        with pytest.raises(TypeError, match="LRUCache cannot be copied or pickled: dict"):
            copier(LRUCache(maxsize=1))

    @pytest.mark.parametrize(
        ("maxsize", "error"),
        [(0, ValueError), (-1, ValueError), (True, TypeError), ("9", TypeError)],
    )
    def test_a_bound_that_makes_no_sense_is_refused(
        self, maxsize: Any, error: type[Exception]
    ) -> None:
        """
        The error says what to write.
        """
        with pytest.raises(error, match="maxsize must be"):
            LRUCache(maxsize=maxsize)

    def test_a_cache_that_is_dropped_goes_at_once(self) -> None:
        """
        The ring of its entries does not wait for the garbage collector.
        """
        gc.disable()
        try:
            cache: LRUCache[int, Value] = LRUCache(maxsize=5)
            values = []
            for number in range(7):
                cache[number] = Value()
                values.append(weakref.ref(cache[number]))
            assert [value() is None for value in values] == [True] * 2 + [False] * 5
            del cache
            assert [value() for value in values] == [None] * 7
            cache = LRUCache(maxsize=5)
            cache[1] = Value()
            value = weakref.ref(cache[1])
            cache.clear()
            assert value() is None
        finally:
            gc.enable()


class LRUMachine(RuleBasedStateMachine):
    @initialize(maxsize=st.integers(1, 4))
    def start(self, maxsize: int) -> None:
        """
        Make the cache, and an OrderedDict to compare it with.
        """
        self.serial = 0
        self.maxsize = maxsize
        self.told: list[Any] = []
        self.expected: list[Any] = []
        self.cache: LRUCache[Any, int] = LRUCache(
            maxsize=maxsize, on_evict=lambda *out: self.told.append(out)
        )
        self.model: OrderedDict[Any, int] = OrderedDict()

    @rule(keys=st.lists(KEY, min_size=1, max_size=5))
    def put(self, keys: list[Any]) -> None:
        """
        Write.
        """
        for key in keys:
            self.serial += 1
            self.cache[key] = self.serial
            if key in self.model:
                self.expected.append((key, self.model.pop(key), EvictionCause.REPLACED))
            self.model[key] = self.serial
            if len(self.model) > self.maxsize:
                self.expected.append((*self.model.popitem(last=False), EvictionCause.SIZE))

    @rule(keys=st.lists(KEY, min_size=1, max_size=4), item=st.booleans())
    def use(self, keys: list[Any], item: bool) -> None:
        """
        Read.
        """
        for key in keys:
            if key in self.model:
                self.model.move_to_end(key)
                assert (self.cache[key] if item else self.cache.get(key)) == self.model[key]
            else:
                assert self.cache.get(key) is None

    @rule(key=KEY)
    def delete(self, key: Any) -> None:
        """
        Remove.
        """
        if key in self.model:
            self.expected.append((key, self.model[key], EvictionCause.DELETED))
        assert self.cache.pop(key, None) == self.model.pop(key, None)

    @rule()
    def clear(self) -> None:
        """
        Remove everything.
        """
        self.cache.clear()
        self.expected += [(*entry, EvictionCause.CLEARED) for entry in self.model.items()]
        self.model.clear()

    @invariant()
    def is_as_expected(self) -> None:
        """
        The same entries, in the same order, and the same was told.
        """
        assert list(self.cache.items()) == list(self.model.items())
        assert self.told == self.expected
        self.cache._check()


TestLRUMachine = LRUMachine.TestCase
TestLRUMachine.settings = settings(max_examples=100, stateful_step_count=30)
