"""
Families, groups, weights and timers against a naive model.
"""

# ruff: noqa: D102 - a rule's name says what it does

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sessionstate import CloseReason, Session, SessionClosed, Supervisor, SupervisorFull
from sessionstate.testing import VirtualClock
from tests.family_model import IDLE, LATE, Asked, Family, Limits, Member

if TYPE_CHECKING:
    from collections.abc import Coroutine

# The machines make their own virtual loops: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time

IDS = st.sampled_from("abcdefgh")
ANY = st.integers(0, 50)
GROUPS = st.sampled_from((None, None, "g", "h"))
WEIGHTS = st.sampled_from((None, None, 0, 0.1, 1, 3, 6))
LIMITS = st.builds(
    Limits,
    max_sessions=st.integers(2, 7),
    max_per_group=st.sampled_from((None, 1, 2)),
    max_children=st.sampled_from((None, 1, 3)),
    max_weight=st.sampled_from((None, 6.0, 10.0)),
    when_full=st.sampled_from(("evict", "evict", "refuse", "wait")),
)


class FamilyMachine(RuleBasedStateMachine):
    """
    Rules that open, hold, close and weigh sessions of families, each at a time of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.loop = self.clock.new_event_loop()
        self.errors: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.members: dict[Session, Member] = {}
        """Every life there was."""
        self.blocks: list[tuple[Member, str, Any]] = []
        self.wrong: list[tuple[Any, ...]] = []
        self.hooked: list[Session] = []
        self.numbers = 0

    def do(self, coro: Coroutine[Any, Any, Any]) -> Any:
        """
        Run *coro*, a moment after what was done last, and everything that follows from it.
        """
        self.loop.run_until_complete(self.clock.advance(0.25))
        self.see(None)
        try:
            return self.loop.run_until_complete(coro)
        finally:
            self.loop.run_until_complete(self.clock.settle())

    @initialize(limits=LIMITS)
    def start(self, limits: Limits) -> None:
        self.model = Family(limits)
        self.supervisor = Supervisor(
            default=False,
            idle_timeout=IDLE,
            open_timeout=3,
            close_timeout=None,
            shutdown_timeout=None,
            **vars(limits),
        )
        self.supervisor.on_close(self.closed)
        self.supervisor.on_error(lambda *error: self.wrong.append(error))
        self.loop.run_until_complete(self.supervisor.__aenter__())

    def closed(self, session: Session, reason: CloseReason) -> None:
        """
        Be the close hook: children are closed before.
        """
        assert session not in self.hooked
        self.hooked.append(session)
        mine = self.members.get(session)
        for each in self.members.values():
            if mine is not None and each.parent is mine:
                assert each.session.state == "closed", f"{each} outlives its parent"
                assert each.session in self.hooked

    # The rules.

    def parent(self, index: int) -> Member | None:
        """
        Choose a parent among all lives there were, or none.
        """
        members = list(self.members.values())[-12:]
        return members[index] if index < len(members) else None

    @rule(id=IDS, index=ANY, group=GROUPS, weight=WEIGHTS)
    def open(self, id: str, index: int, group: str | None, weight: float | None) -> None:
        self.enter(Asked(id, self.parent(index), group, weight), "open")

    @rule(id=IDS, index=ANY, group=GROUPS, weight=WEIGHTS, kind=st.sampled_from("ov"))
    def hold(self, id: str, index: int, group: str | None, weight: float | None, kind: str) -> None:
        self.enter(Asked(id, self.parent(index), group, weight), kind)

    def enter(self, asked: Asked, kind: str) -> None:
        """
        Ask for a session, and compare what comes of it.
        """
        named: dict[str, Any] = {"group": asked.group, "weight": asked.weight}
        named["parent"] = None if asked.parent is None else asked.parent.session
        block: Any = None
        outcome: Session | Exception
        if kind != "open":
            way = self.supervisor.session if kind == "o" else self.supervisor.attach
            block = way(asked.id, **named)

        async def enter() -> Session:
            if block is None:
                return await self.supervisor.open(asked.id, **named)
            session: Session = await block.__aenter__()
            return session

        try:
            outcome = self.do(enter())
        except (SupervisorFull, SessionClosed, ValueError) as error:
            outcome = error
        # Who waits may give up at the moment at which somebody else expires.
        full = self.model.limits.when_full == "wait" and self.model.may_refuse(asked)
        self.see(asked)
        if isinstance(outcome, SupervisorFull):
            assert asked.id not in self.model.live
            assert full or self.model.may_refuse(asked), f"{asked} was refused: {outcome}"
            return
        if isinstance(outcome, Exception):
            self.refused(asked, outcome)
            return
        member = self.members.get(outcome)
        if member is None:
            assert asked.id not in self.model.live
            assert not self.model.exceeded(asked, lambda _: True), f"{asked} is too much"
            member = Member(outcome, asked.parent, asked.group, asked.weight or 0)
            self.members[outcome] = self.model.live[asked.id] = member
        elif asked.weight is not None:
            member.weight = asked.weight
        assert asked.parent in (None, member.parent)
        assert asked.group in (None, member.group)
        assert outcome.last_used == self.clock.now
        if block is not None:
            member.blocks.append(kind)
            self.blocks.append((member, kind, block))

    def refused(self, asked: Asked, error: Exception) -> None:
        """
        Check why nobody came in.
        """
        member = self.model.live.get(asked.id)
        if isinstance(error, SessionClosed):
            assert asked.parent is not None
            assert error.session is asked.parent.session
            assert error.session.close_reason is not None
        else:
            assert member is not None
            other_group = asked.group is not None and asked.group != member.group
            assert other_group or (asked.parent is not None and asked.parent is not member.parent)

    @precondition(lambda self: self.blocks)
    @rule(index=ANY)
    def leave(self, index: int) -> None:
        member, kind, block = self.blocks.pop(index % len(self.blocks))
        self.do(block.__aexit__(None, None, None))
        member.blocks.remove(kind)
        if kind == "o" and "o" not in member.blocks:
            assert member.session.close_reason is not None
        self.see(None)

    @rule(id=IDS)
    def close(self, id: str) -> None:
        self.do(self.supervisor.close(id))
        self.see(None)
        assert id not in self.supervisor

    @rule(group=st.sampled_from("gh"))
    def close_group(self, group: str) -> None:
        async def close() -> int:
            there = [each for each in self.model.live.values() if each.group == group]
            decided = await self.supervisor.close_group(group)
            # A member whose parent is one as well, and older, is ended first, by itself.
            assert decided == len(there)
            return decided

        self.do(close())
        self.see(None)

    def some_live(self) -> bool:
        return bool(self.model.live)

    def live(self, index: int) -> Member:
        """
        Choose among the live ones.
        """
        return list(self.model.live.values())[index % len(self.model.live)]

    @precondition(some_live)
    @rule(index=ANY, weight=st.sampled_from((0, 0.1, 2, 5, 20)))
    def weigh(self, index: int, weight: float) -> None:
        async def weigh() -> Asked | None:
            if not self.model.live:
                return None
            member = self.live(index)
            member.weight = weight
            member.session.weight = weight
            return Asked("", None, None, weight)

        self.see(self.do(weigh()))

    @precondition(some_live)
    @rule(index=ANY)
    def touch(self, index: int) -> None:
        self.live(index).session.touch()

    @precondition(some_live)
    @rule(index=ANY, seconds=st.sampled_from((0.0, 0.5, 2.0)))
    def clean_up(self, index: int, seconds: float) -> None:
        session = self.live(index).session
        if seconds:
            session.push_async_callback(asyncio.sleep, seconds)
        else:
            session.callback(list)

    @precondition(some_live)
    @rule(index=ANY, delay=st.sampled_from((0.0, 0.3, 4.0, 50.0)), ends=st.booleans())
    def call_later(self, index: int, delay: float, *, ends: bool) -> None:
        member = self.live(index)
        self.numbers += 1
        number, due = self.numbers, self.clock.now + delay

        def ring() -> None:
            late = self.clock.now - due
            assert 0 <= late <= max(0.005, delay / 256) + 1e-6
            assert member.session.close_reason is None
            del member.timers[number]
            if ends:
                member.session.close_soon(CloseReason.SHED)

        member.timers[number] = due
        member.session.call_later(delay, ring)

    @rule(seconds=st.sampled_from((0.5, 3.0, 10.0, 31.0)))
    def advance(self, seconds: float) -> None:
        self.loop.run_until_complete(self.clock.advance(seconds))
        self.see(None)

    # What is observed.

    def see(self, asked: Asked | None) -> None:
        """
        Take note of who has ended, and check that each had a reason.
        """
        gone = [each for each in self.model.live.values() if each.session.close_reason is not None]
        was_held = {id(each): self.model.held(each) for each in gone}
        for each in gone:
            del self.model.live[each.session.id]
        for each in gone:
            reason = each.session.close_reason
            assert not self.model.children(each), f"{each} has ended before its children"
            if reason == "parent":
                assert each.parent in gone
            elif reason == "idle":
                assert not was_held[id(each)]
                assert each.last_used + IDLE <= self.clock.now
            elif reason == "evicted":
                assert asked is not None, f"{each} was evicted for nothing"
                assert not was_held[id(each)]
            else:
                assert reason in ("deleted", "completed", "shed")
        evicted = [each for each in gone if each.session.close_reason == "evicted"]
        if evicted and asked is not None:
            self.model.check_evicted(evicted, asked)

    @invariant()
    def agrees_with_the_model(self) -> None:
        if not hasattr(self, "model"):
            return
        self.supervisor._check()
        live, now = self.model.live, self.clock.now
        assert set(self.supervisor) == set(live)
        for id, member in live.items():
            session = self.supervisor[id]
            assert session is member.session
            assert session.state == ("open" if self.model.held(member) else "idle")
            assert self.model.held(member) or session.last_used + IDLE + LATE > now
            assert session.parent is (member.parent.session if member.parent else None)
            assert session.group == member.group
            assert session.weight == member.weight
            there = {each for each in session.children if each.close_reason is None}
            assert there == {each.session for each in self.model.children(member)}
            for due in member.timers.values():
                assert due + 1 > now, "a timer did not ring"
        total = sum(member.weight for member in live.values())
        assert self.supervisor.statistics().weight == pytest.approx(total)
        assert self.supervisor.statistics().waiting == 0
        assert not self.errors, f"{self.errors}"
        assert not self.wrong, f"{self.wrong}"
        assert self.supervisor.statistics().expiry_errors == 0

    def teardown(self) -> None:
        try:
            if hasattr(self, "supervisor"):
                self.loop.run_until_complete(self.supervisor.__aexit__(None, None, None))
                self.check_the_end()
        finally:
            self.loop.close()

    def check_the_end(self) -> None:
        """
        When the supervisor was left, nothing is left.
        """
        assert {each.session.state for each in self.members.values()} <= {"closed"}
        assert set(self.hooked) == set(self.members)
        assert not self.supervisor._bounds.groups
        assert len(self.supervisor._bells.queue) == 0
        self.loop.run_until_complete(self.clock.settle())
        left = asyncio.all_tasks(self.loop)
        assert not left, f"tasks left: {left}"


FEW = settings(
    max_examples=120,
    stateful_step_count=40,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
TestFamily = FamilyMachine.TestCase
TestFamily.settings = FEW


@pytest.mark.stress
class TestFamilyForLong(FamilyMachine.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(FEW, max_examples=1000, stateful_step_count=100, derandomize=False)
