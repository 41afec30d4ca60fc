"""
MemoryGuard against a machine whose resident memory is what the sessions weigh, and some more.
"""

# ruff: noqa: D102 - a rule's name says what it does

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sessionstate import CloseReason, MemoryGuard, Session, SessionState, Supervisor
from sessionstate.testing import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Coroutine

pytestmark = pytest.mark.virtual_time

HIGH, LOW = 20, 12
IDLE = 200.0
SLOW = 2.5  # seconds of a clean-up that holds on to its memory


class MemoryMachine(RuleBasedStateMachine):
    """
    Sessions that come and go, and memory that is theirs, the program's, or the allocator's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.loop = self.clock.new_event_loop()
        self.errors: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.weights: dict[Session, int] = {}
        self.holds: list[tuple[Session, Any]] = []
        self.serial = self.base = self.floor = 0
        self.short = False
        """Whether the high mark was seen, and the low one not yet since."""
        self.shed = 0
        """How many were shed since it was."""
        self.trimmed = False
        self.all_theirs = True
        """Whether all memory was the sessions' since it was."""
        self.wrong: list[str] = []

    def do(self, coro: Coroutine[Any, Any, Any]) -> Any:
        """
        Run *coro*, and what follows from it at this time.
        """
        result = self.loop.run_until_complete(coro)
        self.loop.run_until_complete(self.clock.settle())
        return result

    def now(self) -> int:
        """
        Return the resident memory.
        """
        theirs = (w for each, w in self.weights.items() if each.state is not SessionState.CLOSED)
        return max(self.base + sum(theirs), self.floor)

    def resident(self) -> int:
        """
        Be looked at, and know what the guard knows by that.
        """
        now = self.now()
        if self.trimmed:  # what that brought ends nothing before the next look
            self.trimmed = False
        elif not self.short and now >= HIGH:
            self.short, self.shed = True, 0
            self.all_theirs = not (self.base or self.floor)
        elif self.short and now < LOW:
            self.short = False
        return now

    def trim(self) -> None:
        """
        Be the allocator that is asked to give back what it keeps.
        """
        self.floor, self.trimmed = 0, True

    def closed(self, session: Session, reason: CloseReason) -> None:
        """
        Be the hook that sees each end: what was shed had to be.
        """
        if reason is not CloseReason.SHED:
            return
        self.shed += 1
        if not self.short:
            self.wrong.append(f"{session!r} was shed while memory was not short")
        if any(held is session for held, _ in self.holds):
            self.wrong.append(f"{session!r} was shed, and is held")
        older = [each for each in self.idle() if each.last_used < session.last_used]
        if older:
            self.wrong.append(f"{session!r} was shed before {older[0]!r}")

    def idle(self) -> list[Session]:
        """
        Return the live sessions that nobody holds.
        """
        return [each for each in self.weights if each.state is SessionState.IDLE]

    # The rules.

    @initialize()
    def start(self) -> None:
        """
        Enter the supervisor, whose guard looks once a second.
        """
        self.guard = MemoryGuard(high=HIGH, low=LOW, resident=self.resident)
        self.supervisor = Supervisor(
            idle_timeout=IDLE, memory_guard=self.guard, default=False, clock=self.clock
        )
        self.do(self.supervisor.__aenter__())
        self.supervisor.on_close(self.closed)

        self.guard._trim = self.trim

    @rule(weights=st.lists(st.integers(1, 3), min_size=1, max_size=8), slow=st.booleans())
    def open(self, weights: list[int], slow: bool) -> None:
        """
        Open sessions, each a little later than the one before.
        """
        for weight in weights:
            self.serial += 1
            session = self.do(self.supervisor.open(str(self.serial)))
            self.weights[session] = weight
            if slow:
                session.push_async_callback(asyncio.sleep, SLOW)
            self.do(self.clock.advance(0.001))

    @precondition(lambda self: self.idle())
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        """
        Enter a session, and stay inside.
        """
        session = data.draw(st.sampled_from(self.idle()))
        block = self.supervisor.attach(session.id)
        self.do(block.__aenter__())
        self.holds.append((session, block))

    @precondition(lambda self: self.holds)
    @rule()
    def let_go(self) -> None:
        """
        Leave the session that was entered first.
        """
        _, block = self.holds.pop(0)
        self.do(block.__aexit__(None, None, None))

    @precondition(lambda self: self.idle())
    @rule(data=st.data())
    def touch(self, data: st.DataObject) -> None:
        """
        Use a session.
        """
        data.draw(st.sampled_from(self.idle())).touch()

    @rule(base=st.sampled_from([0, 0, 5, 15, 30]))
    def program(self, base: int) -> None:
        """
        Let the program itself take memory, or give it back.
        """
        self.base = base
        self.all_theirs = self.all_theirs and not base

    @rule()
    def keep(self) -> None:
        """
        Let the allocator keep what there is, until the heap is trimmed.
        """
        self.floor = self.now()
        self.all_theirs = False

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 10.0]))
    def advance(self, seconds: float) -> None:
        """
        Let the guard look.
        """
        self.do(self.clock.advance(seconds))

    @rule()
    def wait_long(self) -> None:
        """
        Let the guard do all it can: if the memory is the sessions', it falls, or all are held.
        """
        self.do(self.clock.advance(60))
        if self.all_theirs:
            assert not self.short or not self.idle(), f"stays at {self.now()} of {HIGH}"

    @invariant()
    def is_as_expected(self) -> None:
        """
        Nobody was shed who should not be, and the report says what was done.
        """
        assert not self.wrong, self.wrong
        assert not self.errors, self.errors
        if not hasattr(self, "guard"):
            return
        report = self.guard.last_report
        assert (report is not None and not report.over) is self.short
        if report is not None:
            assert report.shed == self.shed
            assert report.before >= HIGH
            assert not report.over or report.after < LOW
        assert self.supervisor.statistics().expiry_errors == 0

    def teardown(self) -> None:
        try:
            if hasattr(self, "supervisor"):
                for _, block in self.holds:
                    self.do(block.__aexit__(None, None, None))
                self.do(self.supervisor.__aexit__(None, None, None))
                assert not asyncio.all_tasks(self.loop)
                assert not self.loop.timers
        finally:
            self.loop.close()


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = settings(
    max_examples=50,
    stateful_step_count=30,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
