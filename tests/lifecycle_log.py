"""
The log between the lifecycle machine and its model: what happened, when, and whether it may.
"""

# ruff: noqa: D102 - a reader's name is the kind of entry that it reads

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sessionstate import Session, SessionClosed, SessionNotFound, SupervisorClosed, SupervisorFull
from tests.actors import BodyError, CleanupError, Left
from tests.model import Asked, Life, Model

if TYPE_CHECKING:
    from collections.abc import Callable


class Log:
    """
    Entries in the order in which they happened; read to the model afterwards, in that order.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.entries: list[tuple[float, str, tuple[Any, ...]]] = []
        self.live: dict[Session, None] = {}
        """Sessions whose end was not seen yet: it is decided before anybody is told."""
        self.ran: Counter[tuple[str, int, int]] = Counter()
        """How often each clean-up ran, by id, incarnation and number."""
        self.model: Model
        self.broken = False
        """Whether the model objected; whatever follows is of no interest then."""

    def __call__(self, kind: str, *what: Any) -> None:
        """
        Write down what happens.
        """
        now = self.clock()
        for session in [each for each in self.live if each.close_reason is not None]:
            del self.live[session]
            self.entries.append((now, "decided", (session, str(session.close_reason))))
        self.entries.append((now, kind, what))

    def read(self) -> None:
        """
        Tell the model what happened since the last time.
        """
        entries, self.entries = self.entries, []
        self.broken = True
        for now, kind, what in entries:
            getattr(self, f"read_{kind}")(now, *what)
        self.broken = False

    def read_entered(self, now: float, asked: Asked, session: Session) -> None:
        self.model.enter(asked, session.incarnation, now)

    def read_opened(self, now: float, asked: Asked, session: Session) -> None:
        self.model.opened(asked, session.incarnation, now)

    def read_decided(self, now: float, session: Session, reason: str) -> None:
        self.model.observe_end(session.id, session.incarnation, reason, now)

    def read_refused(
        self, now: float, asked: Asked, outcome: object, around: tuple[Session, ...] = ()
    ) -> None:
        if isinstance(outcome, SupervisorFull):
            assert asked.id not in self.model.lives, f"{asked} was refused, but lives"
            assert self.model.may_refuse(), f"{asked} was refused in spite of {self.model.lives}"
        elif isinstance(outcome, SessionNotFound):
            assert not asked.create
            assert asked.id not in self.model.lives, f"{asked} was not found, but lives"
        elif isinstance(outcome, SupervisorClosed):
            assert self.model.leaving, f"{asked}: {outcome}"
        elif isinstance(outcome, ValueError):
            assert self.model.conflict(asked), f"{asked}: {outcome}"
        elif isinstance(outcome, RuntimeError):
            # A task inside a session that is overdue cannot wait for its end to open it again.
            inside = [session for session in around if session.id == asked.id]
            assert any(session.close_reason for session in inside), f"{asked}: {outcome!r}"
        else:
            assert outcome == "cancelled", f"{asked}: {outcome!r}"

    def read_leaving(self, now: float, asked: Asked, session: Session, how: str) -> None:
        life = self.model.life(session.id, session.incarnation)
        assert asked.block is not None
        self.model.leave(life, asked.block, how, now)

    def read_left(self, now: float, left: Left) -> None:
        life = self.model.life(left.session.id, left.session.incarnation)
        allowed, outcome = self.allowed(life, left), left.outcome
        assert left.name in allowed, f"{left} of {life}, not {allowed}"
        if isinstance(outcome, SessionClosed):
            assert str(outcome.reason) == life.reason, f"{outcome!r}, but {life}"
        if isinstance(outcome, ExceptionGroup):
            assert len(outcome.exceptions) == life.failing, f"{outcome!r} of {life}"
            assert all(isinstance(error, CleanupError) for error in outcome.exceptions)
        if isinstance(outcome, BodyError) and life.ended_by == left.asked.block:
            notes = getattr(outcome, "__notes__", [])
            assert left.session in left.around or len(notes) == life.failing, f"{notes} of {life}"

    def allowed(self, life: Life, left: Left) -> set[str]:
        """
        Return the ways in which this block may be left.
        """
        ended_it = life.ended_by == left.asked.block
        if left.how == "completed" and ended_it and life.failing:
            # It does not wait for the clean-up while its own task is inside another block of it.
            return {"ExceptionGroup"} | ({"returned"} if left.session in left.around else set())
        if left.how != "cancelled":
            return {"returned" if left.how == "completed" else "BodyError"}
        if ended_it or left.actor.cancelled or life.reason is None:
            return {"cancelled"}
        quiet = {"returned", "ExceptionGroup"} if life.failing else {"returned"}
        if left.session in left.actor.asked_for_end:
            return quiet
        # The same task may have ended it, by leaving a block inside this one.
        ways = quiet if life.ended_by in left.actor.blocks else set()
        # Where a session around ends as well, that end is the outer one.
        outer = any(other.close_reason is not None for other in left.around)
        return ways | {"SessionClosed"} | ({"cancelled"} if outer else set())

    def read_ended(self, now: float, session: Session, reason: str) -> None:
        life = self.model.life(session.id, session.incarnation)
        self.model.end(life, reason)

    def read_closed(self, now: float, id: str, number: int, reason: str) -> None:
        self.model.observe_close(id, number, reason, now)

    def read_ran(self, now: float, id: str, number: int, index: int) -> None:
        self.ran[id, number, index] += 1
