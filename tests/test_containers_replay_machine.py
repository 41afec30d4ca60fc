"""
ReplayGuard against a model that never forgets: nothing is admitted twice.
"""

from __future__ import annotations

import math
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sessionstate import GuardFull, StaleRequest
from tests.hands import Times


class GuardMachine(RuleBasedStateMachine):
    """
    Two clocks that do what they like; the model remembers every sighting for ever.
    """

    KEY = st.sampled_from(["", 0, ("a",)])
    WINDOW, SKEW = 8.0, 2.0

    @initialize(maxsize=st.sampled_from([None, 1, 2]))
    def start(self, maxsize: int | None) -> None:
        """
        Make the guard.
        """
        self.times = Times()
        self.maxsize = maxsize or 9
        self.guard = self.times.guard(window=self.WINDOW, skew=self.SKEW, maxsize=maxsize)
        self.admitted: set[tuple[Any, float]] = set()
        """Signed requests: never twice, whatever happens."""
        self.plain: dict[Any, float] = {}
        self.signed: dict[Any, float] = {}
        """Until when a key is surely known, while no clock is set back."""
        self.steady = True

    @rule(step=st.sampled_from([0.0, 0.001, 1.0, 3.0, 7.999, 8.0, 10.0, 10.5]))
    def wait(self, step: float) -> None:
        """
        Let time go by.
        """
        self.times.wait(step)

    @rule(step=st.sampled_from([-1e6, -9.0, -1.0, -0.001, 0.5, 9.0, 1e6]))
    def set_the_wall_clock(self, step: float) -> None:
        """
        Set the wall clock, ahead or back.
        """
        self.steady = self.steady and step > 0
        self.times.wall += step

    @rule(ahead=st.sampled_from([3.0, 9.0, 11.0, 1e6]), seen=st.booleans())
    def go_ahead_and_back(self, ahead: float, seen: bool) -> None:
        """
        Set the wall clock ahead and back again, and replay everything that was ever admitted.
        """
        self.steady = False
        self.times.wall += ahead
        if seen:
            len(self.guard)
        self.times.wall -= ahead
        for key, at in self.admitted:
            try:
                assert not self.guard.first_seen(key, signed_at=at)
            except (StaleRequest, GuardFull):
                pass

    def known(self, key: Any) -> bool:
        """
        Whether the model knows *key*.
        """
        plain = self.times.now < self.plain.get(key, -math.inf)
        return plain or self.times.wall <= self.signed.get(key, -math.inf)

    def crowd(self) -> int:
        """
        How many keys the model knows.
        """
        return sum(self.known(key) for key in ["", 0, ("a",)])

    @rule(
        key=KEY,
        at=st.sampled_from([None, -10.0, -8.0, -3.0, 0.0, 2.0, 3.0, "again"]),
        how=st.sampled_from(["first_seen", "claim", "failing claim"]),
    )
    def see(self, key: Any, at: Any, how: str) -> None:  # noqa: C901, PLR0912 - one request
        """
        A request comes, or one that was there comes again.
        """
        if at == "again":
            before = sorted(when for other, when in self.admitted if other == key)
            at = before[-1] if before else None
        elif at is not None:
            at += self.times.wall
        wall = self.times.wall
        fresh = at is None or (wall <= at + self.WINDOW and at <= wall + self.SKEW)
        known, crowd = self.known(key), self.crowd()
        try:
            if how == "first_seen":
                first = self.guard.first_seen(key, signed_at=at)
            else:
                with self.guard.claim(key, signed_at=at) as first:
                    if how != "claim":
                        raise OSError("down")
        except OSError:
            if not known and self.steady:
                self.plain.pop(key, None)
                self.signed.pop(key, None)
                return
            first = False
            if not self.steady:
                return
        except StaleRequest:
            assert not fresh or not self.steady
            return
        except GuardFull:
            assert not known or not self.steady
            assert crowd >= self.maxsize or not self.steady
            return
        assert fresh or not self.steady
        if self.steady:
            assert first is (not known), "known exactly as long as a window is open"
        if first and at is not None:
            assert (key, at) not in self.admitted, "the same request was admitted twice"
        if at is not None:
            self.signed[key] = max(self.signed.get(key, -math.inf), at + self.WINDOW)
            if first:
                self.admitted.add((key, at))
        elif self.times.now >= self.plain.get(key, -math.inf):
            self.plain[key] = self.times.now + self.WINDOW

    @invariant()
    def is_in_order(self) -> None:
        """
        The guard's books agree with each other, and with the model while no clock was set back.
        """
        if hasattr(self, "guard"):
            self.guard._check()
            if self.steady:
                assert len(self.guard) == self.crowd()


TestGuardMachine = GuardMachine.TestCase
TestGuardMachine.settings = settings(max_examples=300, stateful_step_count=30)
