"""Tasks that die with their session."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from ._context import Task, describe
from ._errors import SessionClosed
from ._resources import cancelled_outside, context_of, retrieved

if TYPE_CHECKING:
    from ._session import Session


class OwnedTask:
    """
    A task that dies with its session.

    .. versionadded:: 0.1
    """

    __slots__ = ("_cancelled", "_session", "_task", "where")

    kind = "task"
    where: str
    """What runs, for people."""
    detached = True
    """Whether the one who starts it does not wait for it."""

    def __init__(self, session: Session, call: object) -> None:
        self.where = f"task {describe(call)}"
        self._cancelled = False
        self._session: Session | None = session
        self._task: Task | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {describe(self)} {'running' if self._session else 'done'}>"

    def cancel(self) -> bool:
        """
        Cancel the task, which does not end the session.

        Returns:
            True if the task was still running.
        """
        if self._session is None:
            return False
        self._session._check_thread()
        self._cancelled = True
        if self._task is not None:  # pragma: no branch - None in the first step of an eager task
            self._task.cancel()
        return True

    def begin(self, coro: Coroutine[Any, Any, object], name: str) -> None:
        """Register, then start: an eager task runs before its creation returns."""
        session = self._session
        assert session is not None
        if session._end is not None:  # calling the function ended it
            coro.close()
            raise session._closed_error()
        if session._tasks is None:
            session._tasks = {}
        session._tasks[self] = None
        loop = session._supervisor._loop
        context = context_of(session, detached=self.detached)
        try:
            self._task = task = loop.create_task(coro, name=name, context=context)
        except BaseException as error:  # a task factory refused, or an eager task exited
            coro.close()
            self.forget()
            (session._tasks or {}).pop(self, None)
            if session._ending is not None:  # pragma: no cover - by its own first, eager step
                session._ending.task_ended(self, error)
            raise
        task.add_done_callback(self._done)
        if self._cancelled:  # pragma: no cover - by its own first, eager step
            task.cancel()

    def end(self) -> None:
        """Cancel the task, as its session ends."""
        self._cancelled = True
        if self._task is not None:  # pragma: no branch - None in the first step of an eager task
            self._task.cancel()

    def forget(self) -> Task | None:
        """Give the task up, which would not end; who waits for it is told so."""
        session, self._session = self._session, None
        assert session is not None
        self._settle(session, None, cancelled=True)
        return self._task

    def _done(self, task: Task) -> None:
        error = None if task.cancelled() else task.exception()
        session, self._session = self._session, None
        self._task = None
        if session is None:
            return
        (session._tasks or {}).pop(self, None)
        error = self._settle(session, error, cancelled=task.cancelled())
        if session._ending is not None:
            session._ending.task_ended(self, error)
        elif error is not None:
            session._fail(error)

    def _settle(
        self,
        session: Session,  # noqa: ARG002 - for the subclasses
        error: BaseException | None,
        *,
        cancelled: bool,  # noqa: ARG002 - the same
    ) -> BaseException | None:
        """Return the error that is the session's."""
        return error


class StartedTask(OwnedTask):
    """An owned task that tells when it has started, with anyio's ``task_status.started(value)``."""

    __slots__ = ("_given_up", "_ready")

    detached = False

    def __init__(self, session: Session, call: object) -> None:
        super().__init__(session, call)
        self._given_up = False
        self._ready: asyncio.Future[Any] | None = session._supervisor._loop.create_future()

    def started(self, value: object = None) -> None:
        """Tell the one who waits that the task has started."""
        if self._given_up:
            return
        if self._ready is None or self._ready.done():
            raise RuntimeError("task_status.started() was called twice: once is enough")
        self._ready.set_result(value)

    async def ready(self) -> Any:  # noqa: ANN401 - whatever the task says
        """Wait until it has started; a cancelled caller cancels the task."""
        ready = self._ready
        assert ready is not None
        try:
            return await ready
        except asyncio.CancelledError:
            self._given_up = True
            self.cancel()
            raise
        finally:
            retrieved(ready)
            self._ready = None
            del ready  # the traceback of its error leads here

    def _settle(
        self, session: Session, error: BaseException | None, *, cancelled: bool
    ) -> BaseException | None:
        ready = self._ready
        if self._given_up:
            return None
        if ready is None or ready.done():
            return error
        if session._end is not None:
            ready.set_exception(SessionClosed(session, session._end[0]))
        elif error is not None:
            ready.set_exception(error)
        elif cancelled:
            ready.set_exception(cancelled_outside(self.where))
        else:
            ready.set_exception(
                RuntimeError(
                    f"{self.where} ended without calling task_status.started(): call it, or use "
                    f"start_soon"
                )
            )
        return None
