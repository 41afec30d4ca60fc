"""
The close protocol: how a session ends, whatever the cause.

`end` decides, synchronously, and is the only exit. If the session holds or owns anything, what is
left to do is an `Ending`: it interrupts the holders, waits for them, and then takes the steps:
hooks, tasks, and callbacks and contexts, last in, first out. A session that owns nothing async is
closed without a task and without an await. The evidence for each rule is in
docs/explanation/close-protocol.md.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from ._context import EMPTY, Task, current, running_task
from ._errors import SessionClosed
from ._reasons import CloseReason
from ._resources import Callback
from ._steps import Steps

if TYPE_CHECKING:
    from ._holds import Holder
    from ._session import Session

COMPLETED: Final = CloseReason.COMPLETED  # 3.11 looks enum members up in Python
FAILED: Final = CloseReason.FAILED
PARENT: Final = CloseReason.PARENT
RESOURCE_FAILED: Final = CloseReason.RESOURCE_FAILED
THROWS: Final = frozenset({CloseReason.CANCELLED, CloseReason.RESOURCE_FAILED})


def end(
    session: Session,
    reason: CloseReason,
    error: BaseException | None = None,
    claim: bool = False,
    asked: bool = False,
) -> Ending | None:
    """
    Decide that *session* ends: the one exit of every cause.

    Returns what is left to do, or None if the end was decided before. With *claim*, the caller
    promises to raise the errors of the clean-up; what nobody claims is logged. *asked* tells that
    the current task wants this end, so that a block of its own swallows the interruption.
    """
    if session._end is not None:
        return None
    # Forget first, without awaiting: from here on the id answers "not found".
    supervisor = session._supervisor
    session._end = (reason, session._clock())
    if reason is not COMPLETED:  # these are what is left of all that were opened
        supervisor._counts.by_reason[reason] += 1
    if session._chunk is not None:
        session._leave_queue()
    ties = session._ties
    if ties is not None:
        ties.ended(session)
    found = supervisor._live.pop(session.id, None)
    if found is not session and found is not None:
        supervisor._live[session.id] = found
    if (
        session._holders
        or session._tasks
        or supervisor._observers.active
        or (ties is not None and ties.children)
    ):
        return _begin(session, Ending(session, reason, error, claim), asked)
    if session._steps:
        if error is not None:  # which the steps may want to see
            return _begin(session, Ending(session, reason, error, claim), False)
        ending = _run_plain_steps(session, reason, claim)
        if ending is not None:
            return ending
    # It owns nothing (any more): no task, no await and no object was needed.
    session._left = None
    if session._slots is not EMPTY or ties is not None:
        session._drop()
    if supervisor._admission.slow:
        supervisor._admission.changed()
    return NOTHING_LEFT


def _begin(session: Session, ending: Ending, asked: bool) -> Ending:
    """Begin what is left to do."""
    session._ending = ending
    supervisor = session._supervisor
    supervisor._closing[session.id] = session
    if supervisor._observers.active:
        supervisor._observers.closing(session)
    supervisor._admission.session_ended()
    ties = session._ties
    if session._holders or (ties is not None and ties.children):
        ending.begin(session, asked=asked)
    else:
        ending.clean_up(session)
    return ending


def _run_plain_steps(
    session: Session,
    reason: CloseReason,
    claim: bool,
) -> Ending | None:
    """
    Run the plain callbacks of a session without holders and tasks, right here.

    From the first that is not plain, or fails, an `Ending` goes on, and is returned.
    """
    closing = session._supervisor._closing
    closing[session.id] = session
    session._ending = UNDER_WAY[reason]
    steps = session._steps
    token = None if current.get(None) is session else current.set(session)
    try:
        while steps:
            step = steps.popitem()[0]
            if type(step) is not Callback:
                steps[step] = None
                return _begin(session, Ending(session, reason, None, claim), False)
            try:
                step.run(None)
            except BaseException as raised:
                ending = Ending(session, reason, None, claim)
                ending.failed(raised, step.where)
                return _begin(session, ending, False)
    finally:
        if token is not None:
            current.reset(token)
    del closing[session.id]
    session._ending = session._steps = None
    return None


class Ending(Steps):
    """
    What is left to do for a session whose end is decided.
    """

    inside: dict[Task, int] = {}  # noqa: RUF012 - never written to: `begin` makes another
    """How many blocks of the session each task is inside of, once the end was decided."""
    asking: Task | None = None
    """The task of a holder that asked for the end itself."""
    _begun = False
    _patient = True
    _interrupted = False

    def __init__(
        self,
        session: Session | None,
        reason: CloseReason,
        error: BaseException | None,
        claimed: bool,
    ) -> None:
        self.session = session
        self.reason = reason
        self.error = error
        self.claimed = claimed

    def closed_error(self, session: Session) -> SessionClosed:
        """Return what those see who are in the way of the end, with the crash as its cause."""
        closed = SessionClosed(session, self.reason)
        closed.__cause__ = self.error if self.reason is RESOURCE_FAILED else None
        return closed

    def begin(self, session: Session, *, asked: bool) -> None:
        """Interrupt the holders; the steps begin when the last one is out."""
        supervisor = session._supervisor
        self.asking = running_task() if asked else None
        inside: dict[Task, int] = {}
        self.inside = inside
        for block in session._holders or ():
            if block.task is not None:
                inside[block.task] = inside.get(block.task, 0) + 1
            block.give_up()
        # Delivered later: sent at once, 3.11 and 3.12 leave a stray CancelledError behind the
        # block.
        supervisor._loop.call_soon(self.interrupt, context=supervisor._context)
        ties = session._ties
        if ties is None or not ties.children:
            self._be_patient(session)
        else:
            assert ties.family is not None
            for each in reversed(list(ties.family.members)):
                try:
                    end(each, PARENT, asked=asked)
                except BaseException as error:  # fatal, and raised when all is done
                    self.failed(error, f"the end of child session {each.id!r}")
        self._go_on_if_free()

    def children_closed(self, session: Session) -> None:
        """Go on in the next turn of the loop: a long line of descendants would be a deep stack."""
        self._be_patient(session)  # only now: the children's time was theirs
        supervisor = session._supervisor
        supervisor._loop.call_soon(self._go_on_if_free, context=supervisor._context)

    def _be_patient(self, session: Session) -> None:
        """Give the holders their share of the time."""
        supervisor = session._supervisor
        now = supervisor._loop.time()
        self._ends = now + supervisor._close_timeout
        self._in(session, (min(self._ends, supervisor._shutdown_ends) - now) / 2, self._stuck)

    def interrupt(self) -> None:
        """Cancel the innermost block of each task that is still inside and was not told yet."""
        session = self.session
        if session is None or self._begun:
            return
        told: dict[Task, None] = {}
        for block in reversed(list(session._holders or ())):
            task = block.task
            if task is None or task in told or task.done():
                continue
            told[task] = None
            if not block.sent:
                self._interrupted = self._interrupted or task is not self.asking
                block.interrupt()
                task.add_done_callback(self._go_on_if_free, context=session._supervisor._context)
        self._go_on_if_free()

    def block_left(self, block: Holder) -> None:
        """Go on if that was the last one; a block around it, in the same task, is told next."""
        if block.task is not None and block.task in self.inside:
            self.inside[block.task] -= 1
            if not self.inside[block.task]:
                del self.inside[block.task]
        session = self.session
        if session is None or self._begun:
            return
        self._forget(block)
        self._go_on_if_free()
        if block.task in self.inside:
            supervisor = session._supervisor
            supervisor._loop.call_soon(self.interrupt, context=supervisor._context)

    def _forget(self, block: Holder) -> None:
        if block.task is not None:  # which may live long, and must not keep what ended here
            block.task.remove_done_callback(self._go_on_if_free)

    def _go_on_if_free(self, _: object = None) -> None:
        session = self.session
        if session is None or self._begun:
            return
        if session._ties is not None and session._ties.children:
            return
        if self._patient and any(block.runs for block in session._holders or ()):
            return
        self.clean_up(session)

    def _stuck(self) -> None:
        """Ask those still inside once more, and go on without them."""
        session = self._still()
        self._patient = False
        for block in [block for block in session._holders or () if block.runs]:
            block.interrupt()
            session._supervisor._counts.stuck += 1
            self.failed(
                TimeoutError(
                    f"session {session.id!r} ended, and {block.where} did not leave it within half "
                    f"of close_timeout: clean-up goes on without it; let the body end when it is "
                    f"cancelled"
                ),
                f"stuck {block.where}",
            )
        self._go_on_if_free()

    def clean_up(self, session: Session) -> None:
        """Begin the steps: nobody is inside any more, or the patience is over."""
        self._begun = True
        if self._timer is not None:
            self._stop_timer()
        for block in session._holders or ():
            self._forget(block)
        if self.reason is FAILED:
            self.thrown = self.error
        elif self._interrupted or self.reason in THROWS:
            self.thrown = self.closed_error(session)
        observers = session._supervisor._observers
        if observers.on_close:
            self._hooks = observers.close_calls(session, self.reason)
        self._advance(session)

    def hurry(self) -> None:
        """Begin what is left without waiting for any of it: the shutdown's time is over."""
        self._hurried = True
        if not self._begun:
            self._stuck()  # it waits for no children: they were hurried before
        else:
            if self._awaited is None:  # else it has not begun: let it
                self._ask(inf)
            self._abandon()

    def _finish(self, session: Session) -> None:
        """Drop everything in one step: nothing refers to a closed session's values any more."""
        supervisor = session._supervisor
        self.session = None
        session._drop()
        if supervisor._closing.get(session.id) is session:
            del supervisor._closing[session.id]
        if supervisor._observers.active:
            supervisor._observers.ended(session, len(self.errors))
        if supervisor._admission.slow:
            supervisor._admission.changed()
        if supervisor._shutdown is not None:
            supervisor._shutdown.session_closed()
        if not self.claimed:
            self.disclaim(session)

    def disclaim(self, session: Session) -> None:
        """Take back the promise to raise the errors: whoever gave it does not wait for them."""
        self.claimed = False
        if self.session is None:
            if self.errors:
                session._supervisor._log_errors(session, self)
            shutdown = session._supervisor._shutdown
            if self.fatal is not None and not (shutdown and shutdown.take(self.fatal)):
                raise self.fatal


NOTHING_LEFT: Final = Ending(None, CloseReason.COMPLETED, None, True)
"""What is left to do for a session that owned nothing."""

UNDER_WAY: Final = {reason: Ending(None, reason, None, True) for reason in CloseReason}
"""Stands for the ending of a session whose plain callbacks run."""
