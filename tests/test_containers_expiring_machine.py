"""
ExpiringMap against a model that knows every entry's times exactly.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sessionstate import EvictionCause, ExpiringMap

KEYS: list[Any] = ["", 0, None, ("a", 1)]
# Powers of two and their sums hit deadlines exactly; the others fall between two ticks.
STEPS = st.sampled_from([2.0**-9, 0.5, 1.0, 3.3, 500.0])
LIMITS = st.sampled_from([None, 0.003, 1.0, 4.0, 2000.0])
KEY = st.sampled_from(KEYS)


class Truth(NamedTuple):
    """
    All there is to know about an entry.
    """

    value: object
    due: float
    idle: float
    expires: float


class ExpiringMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.told: list[tuple[Any, object, EvictionCause]] = []
        self.expected: list[tuple[Any, object, EvictionCause]] = []
        self.model: dict[Any, Truth] = {}  # in the order of use
        self.serial = 0

    @initialize(
        ttl=LIMITS,
        idle=LIMITS,
        maxsize=st.sampled_from([None, 2, 3]),
        max_weight=st.sampled_from([None, 6, 9]),
    )
    def start(
        self, ttl: float | None, idle: float | None, maxsize: int | None, max_weight: int | None
    ) -> None:
        """
        Make the map.
        """
        self.ttl, self.idle = ttl or math.inf, idle or math.inf
        self.maxsize, self.max_weight = maxsize or math.inf, max_weight or math.inf
        self.map: ExpiringMap[Any, int] = ExpiringMap(
            ttl=ttl,
            idle=idle,
            maxsize=maxsize,
            max_weight=max_weight,
            weigher=(lambda _, value: value % 4) if max_weight else None,
            on_evict=lambda *told: self.told.append(told),
            clock=lambda: self.now,
        )

    def weight(self) -> int:
        """
        What the model weighs.
        """
        return sum(truth.value % 4 for truth in self.model.values())  # type: ignore[operator]

    def expired(self, key: Any) -> bool:
        """
        Whether the entry of *key* is past its deadline.
        """
        return self.now >= self.model[key].due

    def live(self) -> dict[Any, object]:
        """
        What is still there, in the order of use.
        """
        return {key: truth.value for key, truth in self.model.items() if not self.expired(key)}

    def leave(self, key: Any, cause: EvictionCause) -> None:
        """
        Expect the hook to be told.
        """
        truth = self.model.pop(key)
        if self.now >= truth.due:
            early = truth.due < truth.expires
            cause = EvictionCause.IDLE if early else EvictionCause.EXPIRED
        self.expected.append((key, truth.value, cause))

    def use(self, key: Any) -> bool:
        """
        Use an entry, if it is there.
        """
        if key not in self.model or self.expired(key):
            return False
        truth = self.model.pop(key)
        due = max(truth.due, min(self.now + truth.idle, truth.expires))
        self.model[key] = truth._replace(due=due)
        return True

    @rule(step=STEPS)
    def wait(self, step: float) -> None:
        """
        Let time go by.
        """
        self.now += step

    @rule(step=st.sampled_from([-2000.0, -1.0, 1e6]))
    def jump(self, step: float) -> None:
        """
        Have the clock set, ahead or back.
        """
        self.sweep()
        self.now += step

    @rule(ahead=st.booleans(), how=st.sampled_from(["item", "get", "touch", "setdefault", "look"]))
    @precondition(lambda self: self.model)
    def come_to_a_deadline(self, ahead: bool, how: str) -> None:
        """
        Come to the very moment of a deadline, or to just before it, and ask for that entry.
        """
        key = min(self.model, key=lambda key: self.model[key].due)
        due = self.model[key].due
        if self.now < due < math.inf:
            self.now = math.nextafter(due, -math.inf) if ahead else due
            if how == "look":
                self.look(key)
            else:
                self.read(key, how)

    @rule(keys=st.lists(KEY, min_size=2, max_size=6), reads=st.lists(KEY, max_size=3))
    def use_up_the_room(self, keys: list[Any], reads: list[Any]) -> None:
        """
        Write much, and read in between: what comes next depends on the order of use.
        """
        for key in keys:
            self.put(key, own=True, ttl=None, idle=None)
            for number, other in enumerate(reads):
                self.read(other, ("item", "get", "touch")[number])

    @rule(key=KEY, own=st.booleans(), ttl=LIMITS, idle=LIMITS)
    def put(self, key: Any, own: bool, ttl: float | None, idle: float | None) -> None:
        """
        Write, with the map's durations or others.
        """
        self.serial += 1
        value = self.serial
        if own:
            lasts, rests = self.ttl, self.idle
            self.map[key] = value
        else:
            lasts, rests = ttl or math.inf, idle or math.inf
            self.map.set(key, value, ttl=ttl, idle=idle)
        self.settle()
        if key in self.model:
            self.leave(key, EvictionCause.REPLACED)
        expires = self.now + lasts
        self.model[key] = Truth(value, min(expires, self.now + rests), rests, expires)
        self.make_room()

    @rule(key=KEY)
    def write_the_same(self, key: Any) -> None:
        """
        Write the very object that is there.
        """
        if key in self.model and not self.expired(key):
            value: Any = self.model[key].value
            self.map[key] = value
            self.settle()
            expires = self.now + self.ttl
            del self.model[key]
            due = min(expires, self.now + self.idle)
            self.model[key] = Truth(value, due, self.idle, expires)

    def make_room(self) -> None:
        """
        Let go of what has expired, then of what was used least recently.
        """
        while len(self.model) > self.maxsize or self.weight() > self.max_weight:
            full = len(self.model) > self.maxsize
            oldest = next((key for key in self.model if self.expired(key)), None)
            if not any(self.expired(key) for key in self.model):
                oldest = next(iter(self.model))
            self.leave(oldest, EvictionCause.SIZE if full else EvictionCause.WEIGHT)

    def settle(self) -> None:
        """
        Take note of what the map let go of because it had expired: it may, at any write.
        """
        for key, value, cause in self.told[len(self.expected) :]:
            if cause in (EvictionCause.EXPIRED, EvictionCause.IDLE):
                assert self.model[key].value == value
                assert self.expired(key), f"{key!r} went before its time"
                self.leave(key, cause)

    def sweep(self) -> None:
        """
        Let go of everything that has expired.
        """
        gone = [key for key in self.model if self.expired(key)]
        assert self.map.expire() == len(gone)
        self.settle()
        assert not any(key in self.model for key in gone)

    @rule()
    def expire(self) -> None:
        """
        Let go of everything that has expired.
        """
        self.sweep()

    @rule(key=KEY, how=st.sampled_from(["item", "get", "touch", "setdefault"]))
    def read(self, key: Any, how: str) -> None:
        """
        Use an entry in one of the ways there are.
        """
        there = self.use(key)
        value: Any = self.model[key].value if there else None
        if how == "item" and not there:
            with pytest.raises(KeyError):
                self.map[key]
        elif how == "item":
            assert self.map[key] == value
        elif how == "get":
            assert self.map.get(key) == value
        elif how == "touch":
            assert self.map.touch(key) is there
        elif there:
            assert self.map.setdefault(key, -1) == value

    @rule(key=KEY)
    def look(self, key: Any) -> None:
        """
        Look at an entry, which uses nothing.
        """
        live = self.live()
        assert (key in self.map) is (key in live)
        assert self.map.peek(key, -1) == live.get(key, -1)
        if key in live:
            due = self.model[key].due
            assert self.map.ttl(key) == (None if due == math.inf else due - self.now)
        else:
            with pytest.raises(KeyError):
                self.map.ttl(key)

    @rule(key=KEY, how=st.sampled_from(["del", "pop", "default"]))
    def delete(self, key: Any, how: str) -> None:
        """
        Remove an entry in one of the ways there are.
        """
        live = self.live()
        if how == "default":
            assert self.map.pop(key, -1) == live.get(key, -1)
        elif key not in live:
            with pytest.raises(KeyError):
                self.map.pop(key) if how == "pop" else self.map.__delitem__(key)
        elif how == "pop":
            assert self.map.pop(key) == live[key]
        else:
            del self.map[key]
        self.settle()
        if key in self.model:
            self.leave(key, EvictionCause.DELETED)

    @rule()
    def popitem(self) -> None:
        """
        Remove some entry.
        """
        if not self.live():
            with pytest.raises(KeyError):
                self.map.popitem()
            self.settle()
        else:
            key, value = self.map.popitem()
            assert self.live()[key] == value
            self.settle()
            self.leave(key, EvictionCause.DELETED)

    @rule()
    def clear(self) -> None:
        """
        Remove every entry.
        """
        self.map.clear()
        for key in list(self.model):
            self.leave(key, EvictionCause.CLEARED)

    @invariant()
    def is_as_expected(self) -> None:
        """
        The map holds what the model holds, and has told what has left, once.
        """
        if not hasattr(self, "map"):
            return
        live = self.live()
        assert sorted(map(repr, self.told)) == sorted(map(repr, self.expected))
        assert self.map == live
        assert len(self.map) == len(live)
        assert set(self.map) == live.keys()
        self.map._check()


TestExpiringMap = ExpiringMachine.TestCase
TestExpiringMap.settings = settings(max_examples=200, stateful_step_count=40)
