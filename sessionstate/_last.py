"""
What runs when nothing unwinds: at the interpreter's exit, for a dropped supervisor, after a fork.

The loop is stopped, closed or busy in a daemon thread, so nothing can be awaited any more. What is
left is what needs no loop: sync callbacks and contexts. Each runs once, whoever comes first.
"""

from __future__ import annotations

import atexit
import os
import warnings
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ._context import current
from ._default import strike_off
from ._events import logger
from ._hosting import HostedContext
from ._process_groups import kill_groups
from ._reasons import CloseReason
from ._resources import AsyncCallback
from ._sites import place
from ._teardown import THROWS, Ending
from ._traces import opened_by

if TYPE_CHECKING:
    from ._session import Session
    from ._supervisor import Supervisor

_running: weakref.WeakKeyDictionary[Supervisor, None] = weakref.WeakKeyDictionary()
"""The supervisors that were entered and not left, oldest first."""

entered: int = 0
"""How many supervisors were entered, ever: tests that open nothing are left alone."""

_inherited: Final[list[Any]] = []
"""What a forked child has of its parent: dropping it there would release what the parent uses."""


def supervisors() -> list[Supervisor]:
    """
    Return the supervisors of this process that were entered and not left, oldest first.

    .. versionadded:: 0.1
    """
    return list(_running)


def enrol(supervisor: Supervisor) -> None:
    """Take note that *supervisor* was entered, in this process."""
    global entered  # noqa: PLW0603 - a counter
    entered += 1
    supervisor._pid = os.getpid()
    if not _running:
        # As late as can be: what the program has registered before, its callbacks may need.
        atexit.unregister(abandon_all)
        atexit.register(abandon_all)
    _running[supervisor] = None


def retire(supervisor: Supervisor) -> None:
    """Take note that *supervisor* was left, or has nothing left to do here."""
    supervisor._pid = 0
    strike_off(supervisor._loop, supervisor)
    _running.pop(supervisor, None)


def abandon_all() -> None:
    """Abandon every supervisor that was not left, the newest first."""
    for supervisor in reversed(list(_running)):
        try:
            abandon(supervisor)
        except ResourceWarning:  # it is an error here, and all is done but to raise it
            logger.exception("supervisor %r was dropped", supervisor.name)


def abandon(supervisor: Supervisor) -> None:
    """Close what is left of the sessions, without a loop, and complain that it was not left."""
    if getattr(supervisor, "_pid", 0) != os.getpid():  # its making may have failed
        return
    assert supervisor._code is not None
    where = place(supervisor._code, supervisor._lasti)
    sessions = dict.fromkeys([*supervisor._live.values(), *supervisor._closing.values()])
    newest_first = sorted(sessions, key=lambda each: -each.incarnation)  # children before parents
    stack = _stack(supervisor._tracer.entered.stack())
    complaints: list[tuple[str, object]] = [
        (f"{supervisor!r}, entered at {where}, was dropped without being left{stack}", supervisor)
    ]
    for each in newest_first:
        stack = _stack(opened_by(each))
        text = f"{each!r}, opened at {each.opened_where}, was dropped unclosed{stack}"
        complaints.append((text, each))
    retire(supervisor)
    supervisor._running = False
    supervisor._admission.slow = True
    with suppress(RuntimeError):  # the loop is closed
        supervisor._expiry.stop()
        supervisor._bells.stop()
        supervisor._tracer.stop()
        supervisor._surveyor.stop()
    # All ends are decided before the first callback: none may begin what waits for a loop.
    endings = [(LastEnding(session), session) for session in newest_first]
    for ending, session in endings:
        ending.close(session)
    for text, source in complaints:
        warnings.warn(text, ResourceWarning, source=source, stacklevel=3)


def _stack(places: tuple[str, ...]) -> str:
    return "".join(f"\n  by {each}" for each in places)


class LastEnding(Ending):
    """
    What is left to do for a session when there is no loop to do it in.
    """

    def __init__(self, session: Session) -> None:
        supervisor = session._supervisor
        before = session._ending
        if session._end is None:
            session._end = (CloseReason.SHUTDOWN, session._clock())
            supervisor._counts.by_reason[CloseReason.SHUTDOWN] += 1
            if session._chunk is not None:
                session._leave_queue()
            supervisor._live.pop(session.id, None)
            supervisor._closing[session.id] = session
        error = None if before is None else before.error
        super().__init__(None, session._end[0], error, claimed=True)
        if before is not None and before._begun:
            self.thrown, self._hooks = before.thrown, before._hooks
        else:
            if self.reason is CloseReason.FAILED:
                self.thrown = self.error
            elif session._holders or self.reason in THROWS:
                self.thrown = self.closed_error(session)
            self._hooks = supervisor._observers.close_calls(session, self.reason)
        if before is not None and before.session is not None:
            before.session = None  # whatever still comes of it comes too late
            before._stop_timer()
        session._ending = self

    def children_closed(self, session: Session) -> None:
        """Wait for nobody: children come first."""

    def close(self, session: Session) -> None:
        """Call what needs no loop, kill the processes, and let go of everything."""
        token = current.set(session)
        try:
            for hook in self._hooks or ():
                _call(session, hook, "on_close hook")
            kill_groups(session)
            while session._steps:
                step = session._steps.popitem()[0]
                if not isinstance(step, AsyncCallback | HostedContext):
                    _call(session, partial(step.run, self.thrown), step.where)
        finally:
            current.reset(token)
        session._supervisor._closing.pop(session.id, None)
        with suppress(RuntimeError):  # who waits for the end cannot be woken in a closed loop
            session._drop()


def _call(session: Session, call: Callable[[], object], where: str) -> None:
    """Call something, whatever it raises: the rest is still to come."""
    try:
        result = call()
        if isinstance(result, Coroutine):
            result.close()  # an async hook
    except BaseException:
        logger.exception("%s of session %r failed", where, session.id)


def _forked() -> None:
    """In a forked child, release nothing: all of it is the parent's."""
    ended = (CloseReason.SHUTDOWN, 0.0)
    for supervisor in list(_running):
        retire(supervisor)
        supervisor._running = False
        supervisor._thread = 0
        live = supervisor._live
        sessions = [*live.values(), *supervisor._closing.values()]
        # sessionstate: bounded-by what was open when the process was forked
        _inherited.append(sessions)
        for session in sessions:
            if session._end is None:
                session._end = ended
            ending, steps = session._ending, session._steps
            if steps:
                _inherited.append(steps.copy())
                steps.clear()
            if ending is not None:
                _inherited.append((session._slots, session._tasks))
                session._tasks = session._ending = None
                if ending.session is not None:
                    ending.session = ending._hooks = ending._late = None
        live.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows, which does not fork
    os.register_at_fork(after_in_child=_forked)
