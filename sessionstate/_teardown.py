"""
The close protocol: how a session ends, whatever the cause.

`end` decides, synchronously, and is the only exit. What is left to do then is an `Ending`: it interrupts the
holders, waits for them, and goes through the steps one after the other: hooks, tasks, then callbacks and
contexts, last in, first out. It is a state machine of done-callbacks, so that a session which owns nothing
async is closed without a task and without an await. An async step runs in a root task that no sweep finds:
shields do not stop a native `Task.cancel` (docs/explanation/close-protocol.md has the measurements).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

from ._context import Task, current, running_task, serving
from ._errors import SessionClosed
from ._reasons import CloseReason, SessionState
from ._resources import Fatal, HostedContext, OwnedTask, hide

if TYPE_CHECKING:
    from ._holders import Block
    from ._session import Session

ASK: Final = 0.8  # of its share of time: then a step is cancelled; after all of it, abandoned
LEAST: Final = 0.01  # of close_timeout: what a step gets when the time is used up


def end(
    session: Session, reason: CloseReason, error: BaseException | None = None, *, claim: bool = False
) -> Ending | None:
    """
    Decide that *session* ends: the one exit of every cause.

    Returns what is left to do, or None if the end was decided before. With *claim*, the caller promises to
    raise the errors of the clean-up; what nobody claims is logged.
    """
    if session._end is not None:
        return None
    if session._owns_nothing() and not session._supervisor._observers.active:
        vanish(session, reason)
        return NOTHING_LEFT
    supervisor = session._supervisor
    _decide(session, reason)
    session._state = SessionState.CLOSING
    session._ending = ending = Ending(session, reason, error, claim=claim)
    supervisor._closing[session.id] = session
    supervisor._observers.closing(session)
    supervisor._admission.changed()
    ending.begin(session)
    return ending


def vanish(session: Session, reason: CloseReason) -> None:
    """End a session that holds and owns nothing: no task, no await, no object is needed."""
    _decide(session, reason)
    session._drop()
    if session._supervisor._admission.slow:
        session._supervisor._admission.changed()


def _decide(session: Session, reason: CloseReason) -> None:
    """Fix the reason. From here on the id answers "not found"."""
    supervisor = session._supervisor
    session._end = (reason, session._clock())
    supervisor._counts.by_reason[reason] += 1
    chunk = session._chunk
    if chunk is not None:
        del chunk[session]
        session._chunk = None
    if supervisor._live.get(session.id) is session:
        del supervisor._live[session.id]


class Ending:
    """What is left to do for a session whose end is decided."""

    __slots__ = (
        "_asked",
        "_begun",
        "_ends",
        "_hooks",
        "_hurried",
        "_interrupted",
        "_late",
        "_step",
        "_tasks",
        "_timer",
        "_where",
        "claimed",
        "error",
        "errors",
        "fatal",
        "reason",
        "session",
    )

    session: Session | None
    _step: Task | None
    _timer: asyncio.TimerHandle | None
    _ends: float

    def __init__(
        self, session: Session | None, reason: CloseReason, error: BaseException | None, *, claim: bool
    ) -> None:
        self.session = session
        self.reason = reason
        self.error = error
        self.errors: list[Exception] | tuple[()] = ()
        self.fatal: BaseException | None = None
        self.claimed = claim
        self._begun = self._interrupted = self._hurried = self._asked = self._tasks = False
        self._hooks: list[Callable[[], object]] | None = None
        self._late: list[tuple[Awaitable[object], str]] | None = None
        self._step = self._timer = None

    # The holders

    def begin(self, session: Session) -> None:
        """Interrupt the holders if there are any, else go on to the steps."""
        supervisor = session._supervisor
        self._ends = supervisor._loop.time() + supervisor._close_timeout
        if session._holders:
            asking = running_task()
            for block in session._holders:
                block.asked = block.asked or (asking is not None and block.task is asking)
            # Delivered later: sent at once, 3.11 and 3.12 leave a stray CancelledError behind the block.
            supervisor._loop.call_soon(self.interrupt, context=supervisor._context)
            self._in((self._ends - supervisor._loop.time()) / 2, self._stuck)
        self._go_on_if_free()

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
                self._interrupted = self._interrupted or not block.asked
                block.interrupt()
                task.add_done_callback(self._go_on_if_free, context=session._supervisor._context)
        self._go_on_if_free()

    def block_left(self, block: Block) -> None:
        """Go on if that was the last one; a block around it, in the same task, is told next."""
        session = self.session
        if session is not None and not self._begun:
            self._go_on_if_free()
            if any(other.task is block.task for other in session._holders or ()):
                loop = session._supervisor._loop
                loop.call_soon(self.interrupt, context=session._supervisor._context)

    def _go_on_if_free(self, _: object = None) -> None:
        session = self.session
        if session is None or self._begun:
            return
        if not any(block.runs for block in session._holders or ()):
            self._clean_up(session)

    def _stuck(self) -> None:
        """Ask those still inside once more, and go on without them."""
        session = self.session
        if session is None or self._begun:
            return
        for block in [block for block in session._holders or () if block.runs]:
            block.interrupt()
            session._supervisor._counts.stuck += 1
            self.failed(
                TimeoutError(
                    f"session {session.id!r} ended, and {block.where} did not leave it within half of its "
                    f"close_timeout; clean-up goes on without it: let the body end when it is cancelled"
                ),
                f"stuck {block.where}",
            )
        self._clean_up(session)

    # The steps

    def _clean_up(self, session: Session) -> None:
        self._begun = True
        self._stop_timer()
        if self.reason is CloseReason.FAILED:
            session._thrown = self.error
        elif self._interrupted or self.reason in {CloseReason.CANCELLED, CloseReason.RESOURCE_FAILED}:
            session._thrown = self.closed_error(session)
        self._hooks = session._supervisor._observers.close_calls(session, self.reason)
        self._advance(session)

    def closed_error(self, session: Session) -> SessionClosed:
        """Return what those see who are in the way of the end, with the crash as its cause."""
        closed = SessionClosed(session, self.reason)
        if self.reason is CloseReason.RESOURCE_FAILED:
            closed.__cause__ = self.error
        return closed

    def _advance(self, session: Session) -> None:
        """Take steps until one has to be waited for, or all are done."""
        token = current.set(session)
        try:
            while self._take_step(session):
                if self._hurried:
                    self._abandon_step(session)
                elif self._step is not None or self._tasks:
                    return
        finally:
            current.reset(token)
        self._finish(session)

    def _take_step(self, session: Session) -> bool:
        """Take one step; tell whether there was one."""
        if self._late:
            self._await(session, *self._late.pop(0))
        elif self._hooks:
            self._call(session, self._hooks.pop(0), "on_close hook")
        elif session._tasks:
            self._tasks = True
            self._start_timer(session)
            for owned in list(session._tasks):
                owned.end()
        elif session._steps:
            step = session._steps.popitem()[0]
            if isinstance(step, HostedContext):
                self._wait_for(session, step.run(session._thrown), step.where)
            else:
                self._call(session, partial(step.run, session._thrown), step.where)
        else:
            return False
        return True

    def _call(self, session: Session, call: Callable[[], object], where: str) -> None:
        try:
            result = call()
        except BaseException as error:
            self.failed(error, where)
        else:
            if isinstance(result, Awaitable):
                self._await(session, result, where)

    def _await(self, session: Session, awaitable: Awaitable[object], where: str) -> None:
        """Run an async step in a root task, begun again if it was cancelled before its first step."""
        loop = session._supervisor._loop
        started = False

        async def step() -> None:
            nonlocal started
            started = True
            try:
                await awaitable
            except (KeyboardInterrupt, SystemExit) as error:
                raise Fatal(error) from error

        context = copy_context()
        context.run(serving.set, (*serving.get(), session))

        def begin(died: Task | None = None) -> None:
            if died is not None and (started or died is not self._step):
                return
            task = asyncio.Task(step(), loop=loop, name=f"{session.id}: {where}", context=context)
            hide(task)
            task.add_done_callback(begin)
            self._wait_for(session, task, where)

        begin()

    def _wait_for(self, session: Session, task: Task, where: str) -> None:
        respawned = self._step is not None
        self._step, self._where = task, where
        if not respawned:
            self._start_timer(session)
        task.add_done_callback(self._step_done)

    def _step_done(self, task: Task) -> None:
        session = self.session
        error: BaseException | None
        if task.cancelled():
            error = asyncio.CancelledError()
        else:
            error = task.exception()
        if session is None or task is not self._step:
            return
        self._step = None
        if error is not None:
            if isinstance(error, asyncio.CancelledError) and self._asked:
                error = TimeoutError(f"{self._where} took too long, and was cancelled")
            self.failed(error, self._where)
        self._step_over(session)

    def task_ended(self, owned: OwnedTask, error: BaseException | None) -> None:
        """Note that an owned task ended during the clean-up."""
        session = self.session
        if session is None:
            return
        answer = isinstance(error, SessionClosed) and error.session is session
        if isinstance(error, Exception) and not answer:  # any other has gone through the loop already
            self.failed(error, owned.where)
        if self._tasks and not session._tasks:
            self._step_over(session)

    def _step_over(self, session: Session) -> None:
        self._stop_timer()
        self._tasks = self._asked = False
        self._advance(session)

    # Time

    def _in(self, delay: float, call: Callable[[], None]) -> None:
        session = self.session
        if session is not None and delay < inf:
            supervisor = session._supervisor
            self._timer = supervisor._loop.call_later(delay, call, context=supervisor._context)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_timer(self, session: Session) -> None:
        supervisor = session._supervisor
        ends = min(self._ends, supervisor._shutdown_ends)
        if ends == inf:
            return
        left = ends - supervisor._loop.time()
        more = self._late or self._hooks or session._steps or (session._tasks and not self._tasks)
        least = LEAST * supervisor._close_timeout if supervisor._close_timeout < inf else 0.0
        share = max(left / 2 if more else left, least)
        self._in(ASK * share, partial(self._ask, (1 - ASK) * share))

    def _ask(self, rest: float) -> None:
        """Cancel a step that takes long."""
        session = self.session
        self._asked = True
        if session is not None:
            self._in(rest, self._abandon)
            if self._step is not None:
                self._step.cancel()
            else:
                for owned in list(session._tasks or ()):
                    owned.end()

    def _abandon(self) -> None:
        session = self.session
        if session is not None:
            self._abandon_step(session)
            self._step_over(session)

    def _abandon_step(self, session: Session) -> None:
        """Go on without a step that did not end when it was cancelled."""
        late = [self._where] if self._step is not None else []
        if self._tasks:
            late = [owned.where for owned in session._tasks or ()]
            for owned in list(session._tasks or ()):
                session._supervisor._keep(owned.forget())
            session._tasks = None
        elif self._step is not None:
            session._supervisor._keep(self._step)
        self._step = None
        self._tasks = False
        for where in late:
            session._supervisor._counts.abandoned += 1
            self.failed(TimeoutError(f"{where} did not end when it was cancelled, and was abandoned"), where)

    def hurry(self) -> None:
        """Begin what is left without waiting for any of it: the shutdown's time is over."""
        session = self.session
        if session is None:
            return
        self._hurried = True
        if not self._begun:
            self._stuck()
        elif self._step is not None or self._tasks:
            self._ask(inf)
            self._abandon()

    # The outcome

    def failed(self, error: BaseException, where: str) -> None:
        """Note and report an error of the clean-up, which goes on."""
        session = self.session
        if session is None:
            return
        if isinstance(error, Fatal):
            error = error.error
        if isinstance(error, KeyboardInterrupt | SystemExit):
            self.fatal = self.fatal or error
        else:
            if not isinstance(error, Exception):
                cause, error = error, RuntimeError(f"{where} was cut short by {error!r}")
                error.__cause__ = cause
            self.errors = [*self.errors, error]
        self._late = [
            *(self._late or ()),
            *session._supervisor._observers.error(session, error, where),
        ]

    def _finish(self, session: Session) -> None:
        """Drop everything in one step: nothing refers to a closed session's values any more."""
        supervisor = session._supervisor
        self._stop_timer()
        self.session = None
        session._drop()
        if supervisor._closing.get(session.id) is session:
            del supervisor._closing[session.id]
        supervisor._settled(session, self)
        if not self.claimed:
            self.disclaim(session)

    def disclaim(self, session: Session) -> None:
        """Take back the promise to raise the errors: whoever gave it does not wait for them."""
        self.claimed = False
        if self.session is None:
            session._supervisor._log_errors(session, self)
            if self.fatal is not None:
                raise self.fatal


NOTHING_LEFT: Final = Ending(None, CloseReason.COMPLETED, None, claim=True)
"""What is left to do for a session that owned nothing."""
