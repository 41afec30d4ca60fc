"""
The steps of a clean-up, taken one after the other, each within its share of the time.

`Steps` is a state machine of done-callbacks. Sync steps run inline; an async one is waited for by a
callback on its task. Callbacks and hooks that are async get a root task each, which sweeps over
`asyncio.all_tasks` do not find: an anyio shield does not stop a native `Task.cancel`, and
`asyncio.shield` abandons what it shields.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final, cast

from ._context import Task, current, loading, serving
from ._errors import SessionClosed
from ._events import ON_ERROR
from ._hosting import HostedContext
from ._reasons import CloseReason
from ._resources import Fatal, hide
from ._tasks import OwnedTask

if TYPE_CHECKING:
    from ._session import Session

ASK: Final = 0.8  # of its share of time: then a step is cancelled; after all of it, abandoned
TASKS: Final = "owned tasks"
LEAST: Final = 0.01  # of close_timeout: what a step gets when the time is used up


class Steps:
    """
    What remains to be done for one session, and how far that has come.
    """

    session: Session | None
    """The session; None when all is done, so that nothing refers back to it."""
    thrown: BaseException | None = None
    """What its contexts see, because it did not complete."""
    errors: tuple[Exception, ...] = ()
    """What went wrong."""
    fatal: BaseException | None = None
    """A KeyboardInterrupt or SystemExit, to be raised when all is done."""

    # Attributes of the class, because most clean-ups need none of them.
    _hooks: list[Callable[[], object]] | None = None
    _late: list[tuple[Awaitable[object], str]] | None = None
    _awaited: tuple[Awaitable[object], Context] | None = None
    _step: Task | None = None
    _began: float | None = None
    _where = ""
    _in_tasks = False
    _asked = False
    _hurried = False
    _timer: asyncio.TimerHandle | None = None
    _ends: float | None = None

    def _still(self) -> Session:
        """Return the session, of which something is left to do."""
        assert self.session is not None
        return self.session

    def _advance(self, session: Session) -> None:  # noqa: C901, PLR0912 - each clean-up comes here
        """Take steps until one has to be waited for, or all are done."""
        token = current.set(session)
        thrown = self.thrown
        observers = session._supervisor._observers
        try:
            while True:
                self._began = session._clock() if observers.observations else None
                if self._late or self._hooks or session._tasks:
                    self._take_early_step(session)
                elif session._steps:
                    step = session._steps.popitem()[0]
                    if isinstance(step, HostedContext):
                        task = step.run(thrown)
                        if task is None:
                            continue
                        self._wait_for(session, task, step.where)
                    else:
                        try:
                            result = step.run(thrown)
                        except BaseException as error:
                            self._over(session, step.where, error)
                        else:
                            if result is None:
                                self._over(session, step.where)
                                continue
                            self._await(session, result, step.where)
                else:
                    break
                if self._step is not None or self._in_tasks:
                    if not self._hurried:
                        return
                    self._abandon_step(session)
        finally:
            current.reset(token)
        self._finish(session)

    def _finish(self, session: Session) -> None: ...

    def _take_early_step(self, session: Session) -> None:
        """Take a step that comes before the callbacks and contexts."""
        if self._late:
            self._await(session, *self._late.pop(0))
        elif self._hooks:
            self._call(session, self._hooks.pop(0), "on_close hook")
        else:
            self._in_tasks = True
            self._start_timer(session)
            for owned in list(session._tasks or ()):
                owned.end()

    def _call(self, session: Session, call: Callable[[], object], where: str) -> None:
        try:
            result = call()
        except BaseException as error:
            self._over(session, where, error)
        else:
            if isinstance(result, Awaitable):
                self._await(session, cast("Awaitable[object]", result), where)
            else:
                self._over(session, where)

    def _await(self, session: Session, awaitable: Awaitable[object], where: str) -> None:
        """Run an async step in a root task."""
        context = copy_context()
        context.run(loading.set, None)
        context.run(serving.set, (session,))  # whoever ended it does not wait for this
        self._awaited = awaitable, context
        self._begin_task(session, where)

    def _begin_task(self, session: Session, where: str) -> None:
        assert self._awaited is not None
        awaitable, context = self._awaited
        loop = session._supervisor._loop
        name = f"{session.id}: {where}"
        task = asyncio.Task(self._run(awaitable), loop=loop, name=name, context=context)
        hide(task)
        self._wait_for(session, task, where)

    async def _run(self, awaitable: Awaitable[object]) -> None:
        self._awaited = None
        try:
            await awaitable
        except (KeyboardInterrupt, SystemExit) as error:
            raise Fatal(error) from error

    def _wait_for(self, session: Session, task: Task, where: str) -> None:
        if self._timer is None:
            self._start_timer(session)
        self._step, self._where = task, where
        task.add_done_callback(self._step_done)

    def _step_done(self, task: Task) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        session = self.session
        if session is None or task is not self._step:  # it was abandoned
            return
        if self._awaited is not None:  # cancelled before its first step: nothing ran
            self._begin_task(session, self._where)
            return
        self._step = None
        if self._asked and isinstance(error, asyncio.CancelledError):
            error = TimeoutError(f"{self._where} took too long, and was cancelled")
        self._over(session, self._where, error)
        self._step_over(session)

    def task_ended(self, owned: OwnedTask, error: BaseException | None) -> None:
        """Note that an owned task ended during the clean-up."""
        session = self._still()
        # Any but an Exception went through the loop already.
        if isinstance(error, Exception) and not _tells_of_the_end(error, session):
            self.failed(error, owned.where)
        if self._in_tasks and not session._tasks:
            self._over(session, TASKS)
            self._step_over(session)

    def _step_over(self, session: Session) -> None:
        self._stop_timer()
        self._in_tasks = self._asked = False
        self._advance(session)

    # Time

    def _in(self, session: Session, delay: float, call: Callable[[], None]) -> None:
        if delay < inf:
            supervisor = session._supervisor
            self._timer = supervisor._loop.call_later(delay, call, context=supervisor._context)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_timer(self, session: Session) -> None:
        """Give the step that begins its share: all that is left to the last one, else half."""
        supervisor = session._supervisor
        now = supervisor._loop.time()
        budget = supervisor._close_timeout
        if self._ends is None:
            self._ends = now + budget
        left = min(self._ends, supervisor._shutdown_ends) - now
        if left < inf:
            tasks = session._tasks and not self._in_tasks
            more = self._late or self._hooks or tasks or session._steps
            least = LEAST * budget if budget < inf else 0.0
            share = max(left / 2 if more else left, least)
            self._in(session, ASK * share, partial(self._ask, (1 - ASK) * share))

    def _ask(self, rest: float) -> None:
        """Cancel a step that takes long; *rest* seconds later it is abandoned."""
        session = self._still()
        self._asked = True
        self._in(session, rest, self._abandon)
        if self._step is not None:
            self._step.cancel()
        for owned in list(session._tasks or ()) if self._in_tasks else ():
            owned.end()

    def _abandon(self) -> None:
        session = self._still()
        self._abandon_step(session)
        self._step_over(session)

    def _abandon_step(self, session: Session) -> None:
        """Go on without a step that did not end when it was cancelled."""
        supervisor = session._supervisor
        late: list[tuple[str, Task | None]] = []
        if self._step is not None:
            late.append((self._where, self._step))
            self._step = self._awaited = None
        if self._in_tasks:
            late += [(owned.where, owned.forget()) for owned in session._tasks or ()]
            session._tasks = None
            self._in_tasks = False
        self._stop_timer()
        for where, task in late:
            if task is not None:  # pragma: no branch - None while an eager task's first step runs
                supervisor._keep(task)
            supervisor._counts.abandoned += 1
            late_error = TimeoutError(f"{where} did not end in time, and was abandoned")
            self._over(session, where, late_error)

    # The outcome

    def _over(self, session: Session, where: str, error: BaseException | None = None) -> None:
        """Tell that a step is over, and how."""
        if self._began is not None:
            session._supervisor._observers.step_over(session, where, self._began, error)
        if error is not None:
            self.failed(error, where)

    def failed(self, error: BaseException, where: str) -> None:
        """Note and report an error of the clean-up, which goes on."""
        session = self._still()
        if isinstance(error, Fatal):
            error = error.error
        if isinstance(error, KeyboardInterrupt | SystemExit):
            self.fatal = self.fatal or error
        else:
            if not isinstance(error, Exception):
                cause, error = error, RuntimeError(f"{where} was cut short by {error!r}")
                error.__cause__ = cause
            self.errors = (*self.errors, error)
        if where == ON_ERROR:  # it would be told of itself, for ever
            return
        late, fatal = session._supervisor._observers.error(session, error, where)
        self.fatal = self.fatal or fatal
        if late:
            self._late = [*(self._late or ()), *late]


def _tells_of_the_end(error: Exception, session: Session) -> bool:
    """Tell whether *error* says no more than that *session* ended, and its children with it."""
    if isinstance(error, ExceptionGroup):
        group = cast("ExceptionGroup[Exception]", error)
        return all(_tells_of_the_end(each, session) for each in group.exceptions)
    return isinstance(error, SessionClosed) and (
        error.session is session or error.reason is CloseReason.PARENT
    )
