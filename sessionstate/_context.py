"""Who runs: the current task and session, and which wait would be a deadlock."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ._flight import Flight
    from ._session import Session

Task = asyncio.Task[Any]

EMPTY: Final[dict[str, Any]] = {}
"""The slots of a session that has none, shared by all."""

current: ContextVar[Session] = ContextVar("sessionstate.current")
"""The session whose block, owned task, hook or clean-up runs here."""

serving: ContextVar[tuple[Session, ...]] = ContextVar("sessionstate.serving", default=())
"""
The sessions that cannot end before the code that runs here does: it is their task or clean-up.
"""

opening: ContextVar[Session | None] = ContextVar("sessionstate.opening", default=None)
"""The session whose on_open hooks wait for what runs here, if any."""

loading: ContextVar[Flight | None] = ContextVar("sessionstate.loading", default=None)
"""The load that waits for what runs here, if any."""

_waiting: dict[Task, Session] = {}
"""The session whose end a task waits for."""
_leaving: dict[Task, None] = {}
"""The tasks that wait through every cancellation, as they leave a block."""
_left: dict[Session, int] = {}
"""How many of those wait for which session."""
_serving_waits: dict[Session, dict[Task, None]] = {}
"""The waiting tasks by the sessions that they serve."""


if sys.version_info >= (3, 12):  # pragma: no cover - one of the two runs
    current_task: Callable[[asyncio.AbstractEventLoop], Task | None] = asyncio.current_task
else:  # pragma: no cover
    # 3.11 looks the running loop up in Python, at ten times the cost of the rest.
    _current_tasks: dict[asyncio.AbstractEventLoop, Task] = vars(asyncio.tasks)["_current_tasks"]
    current_task: Callable[[asyncio.AbstractEventLoop], Task | None] = _current_tasks.get


def running_task() -> Task | None:
    """Return the current task; None in a callback or where no loop runs."""
    try:
        return current_task(asyncio.get_running_loop())
    except RuntimeError:
        return None


def holds(task: Task | None, session: Session) -> bool:
    """Tell whether *task* is inside a block of *session*."""
    if task is None:
        return False
    if session._ending is not None:  # which has counted them
        return task in session._ending.inside
    return any(block.task is task for block in session._holders or ())


def would_deadlock(session: Session) -> bool:
    """
    Tell whether *session* cannot end while the code that runs here waits for that.

    It cannot if this is its own clean-up, owned task or holder, or if one of its holders or
    clean-ups waits, directly or through others, for a session of which that is true.
    """
    task, mine = running_task(), serving.get()
    others = len(_left) - (session in _left)  # that somebody leaves who may hold this one too
    if session._end is not None and not mine and session._ties is None and not others:
        return holds(task, session)  # nothing can lead back here
    certain = dict.fromkeys(with_children(session))
    seen = dict(certain)
    ahead = list(certain)
    for other in ahead:  # which grows
        if other in mine:
            return True
        # A holder of a session that has ended is interrupted, and so are its waits, but for those
        # of who is leaving another block.
        if (other in certain or session._end is None) and holds(task, other):
            return True
        waiters = [block.task for block in other._holders or ()]
        if other in certain:
            left = [_waiting[each] for each in waiters if each in _leaving]
            more = {one: None for waited in left for one in with_children(waited)}
            more = {one: None for one in more if one not in certain}
            certain |= more
            seen |= more
            ahead += more
        waiters += _serving_waits.get(other, ())
        new = {_waiting[each]: None for each in waiters if each in _waiting}
        new = {each: None for waited in new for each in with_children(waited)}
        ahead += [each for each in new if each not in seen]
        seen |= new
    return False


def with_children(session: Session) -> list[Session]:
    """Return *session* and those that close before it can: children, and their children."""
    found = [session]
    for each in found:  # which grows
        if each._ties is not None:
            found += each._ties.children
    return found


def detach() -> None:
    """Let what runs here be a task of its own, for which its starter does not wait."""
    serving.set(())
    opening.set(None)
    loading.set(None)


class Waiting:
    """While inside, the current task is known to wait for *session*."""

    __slots__ = ("_mine", "_session", "_task", "_through")

    def __init__(self, session: Session, *, through: bool = False) -> None:
        self._session = session
        self._through = through

    def __enter__(self) -> None:
        task = running_task()
        self._task = task
        self._mine = serving.get() if task else ()
        if task:
            _waiting[task] = self._session
            if self._through:
                _leaving[task] = None
                _left[self._session] = _left.get(self._session, 0) + 1
            for session in self._mine:
                _serving_waits.setdefault(session, {})[task] = None

    def __exit__(self, *exc: object) -> None:
        if self._task:
            _waiting.pop(self._task, None)
            if self._through:
                del _leaving[self._task]
                _left[self._session] -= 1
                if not _left[self._session]:
                    del _left[self._session]
        for session in self._mine:
            waits = _serving_waits.get(session, {})
            waits.pop(self._task, None)  # type: ignore[arg-type]
            if not waits:
                _serving_waits.pop(session, None)


def copy_refused(what: str, advice: str) -> TypeError:
    """Return what those get who copy or pickle *what*."""
    return TypeError(f"{what} cannot be copied or pickled: {advice}")


def describe(call: object) -> str:
    """Name a callable or context as a reader of its source would."""
    name = getattr(call, "__qualname__", None)
    if name is None:
        # Not whatever has a `func`: a mock has one, which has one, without end.
        return describe(call.func) if isinstance(call, partial) else type(call).__qualname__
    return str(name)
