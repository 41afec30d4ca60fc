"""
What a session owns, each with its way to end.

A session keeps its *steps* (callbacks and contexts) in order, last in, first out, and its tasks apart, because
tasks are ended first and together. Each entry is also the handle that its caller gets, removes itself when it
is done with, and is removed before it runs: it runs once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from contextvars import Context, copy_context
from types import TracebackType
from typing import TYPE_CHECKING, Any

import anyio

from ._context import Task, current, describe, loading, serving
from ._errors import SessionClosed

if TYPE_CHECKING:
    from ._belongings import Belongings
    from ._session import Session


class Callback:
    """
    A clean-up that was promised; `cancel` takes the promise back.

    .. versionadded:: 0.1
    """

    __slots__ = ("_args", "_call", "_kwargs", "_session")

    def __init__(
        self,
        session: Belongings,
        call: Callable[..., object],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._session: Belongings | None = session
        self._call = call
        self._args = args
        self._kwargs = kwargs

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.where}{'' if self._session else ', done'}>"

    @property
    def where(self) -> str:
        """What runs, for people."""
        return f"callback {describe(self._call)}"

    def cancel(self) -> bool:
        """
        Forget the clean-up, which then never runs.

        Returns:
            True if it was still to come; False if it has begun, ran, or was cancelled before.
        """
        session, self._session = self._session, None
        if session is None:
            return False
        session._disown(self)
        return True

    def run(self, thrown: BaseException | None) -> Awaitable[object] | None:
        """Begin the clean-up; return what is to be awaited, if anything is."""
        self._session = None
        result = self._call(*self._args, **self._kwargs)
        if result is not None and isinstance(result, Coroutine):
            result.close()
            raise TypeError(
                f"{self.where} returned a coroutine, which nobody awaits: use push_async_callback"
            )
        return None


class AsyncCallback(Callback):
    """
    An async clean-up that was promised; `cancel` takes the promise back.

    .. versionadded:: 0.1
    """

    __slots__ = ()

    @property
    def where(self) -> str:
        return f"async callback {describe(self._call)}"

    def run(self, thrown: BaseException | None) -> Awaitable[object] | None:
        self._session = None
        result = self._call(*self._args, **self._kwargs)
        if not isinstance(result, Awaitable):
            raise TypeError(
                f"{self.where} returned {result!r}, which cannot be awaited: use callback"
            )
        return result


class EnteredContext(Callback):
    """A context manager that was entered, to be left at the end."""

    __slots__ = ()

    @property
    def where(self) -> str:
        return f"context {describe(self._call)}"

    def run(self, thrown: BaseException | None) -> Awaitable[object] | None:
        self._session = None
        try:
            self._call.__exit__(*exc_info(thrown))  # type: ignore[attr-defined]
        except BaseException as error:
            if not is_answer(error, thrown):
                raise
        return None


def refuse_caller_bound(cm: object) -> None:
    """Refuse contexts that act on the task that enters them, which here is not the caller's."""
    if isinstance(cm, asyncio.Timeout | anyio.CancelScope):
        raise TypeError(
            f"a session cannot own {type(cm).__name__}: it acts on the task that enters it, and what a session "
            f"owns lives in a task of its own; write 'with' or 'async with' in the body instead"
        )


def is_answer(error: BaseException, thrown: BaseException | None) -> bool:
    """Tell whether *error* only hands back what was thrown: itself, or wrapped by task groups."""
    if thrown is None:
        return False
    if isinstance(error, BaseExceptionGroup):
        return all(is_answer(each, thrown) for each in error.exceptions)
    return error is thrown


def exc_info(
    error: BaseException | None,
) -> tuple[type[BaseException] | None, BaseException | None, TracebackType | None]:
    """Return the three arguments of ``__exit__``."""
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)


def context_of(session: Session) -> Context:
    """Copy the current context for a task that serves *session*."""
    context = copy_context()
    context.run(current.set, session)
    context.run(serving.set, (*serving.get(), session))
    return context


def cancelled_outside(where: str) -> RuntimeError:
    """Return what those get who wait for something that somebody else cancelled: nobody cancelled them."""
    return RuntimeError(f"{where} was cancelled, by itself or from outside")


def retrieved(future: asyncio.Future[Any]) -> None:
    """Keep asyncio from reporting an error that came together with the cancellation of its waiter."""
    if future.done() and not future.cancelled():
        future.exception()


def hide(task: Task) -> None:
    """
    Keep a clean-up out of sweeps over `asyncio.all_tasks()`, which would cut it short.

    The function is documented under "Extending asyncio" in the standard library.
    """
    asyncio._unregister_task(task)


class Fatal(Exception):  # noqa: N818
    """Carries a KeyboardInterrupt or SystemExit out of a clean-up's task, past the loop, to whoever raises it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class OwnedTask:
    """
    A task that dies with its session.

    .. versionadded:: 0.1
    """

    __slots__ = ("_cancelled", "_session", "_task", "where")

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
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()
        return True

    def begin(self, coro: Coroutine[Any, Any, object], name: str) -> None:
        """Register, then start: an eager task runs before its creation returns."""
        session = self._session
        assert session is not None  # noqa: S101
        if session._end is not None:  # calling the function ended it
            coro.close()
            raise session._closed_error()
        if session._tasks is None:
            session._tasks = {}
        session._tasks[self] = None
        loop = session._supervisor._loop
        context = context_of(session)
        if self.detached:
            context.run(loading.set, None)
        self._task = task = loop.create_task(coro, name=name, context=context)
        task.add_done_callback(self._done)
        if self._cancelled:
            task.cancel()

    def end(self) -> None:
        """Cancel the task, as its session ends."""
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()

    def forget(self) -> Task | None:
        """Give the task up, which would not end; who waits for it is told so."""
        session, self._session = self._session, None
        if session is not None:
            self._settle(session, None, cancelled=True)
        return self._task

    def _done(self, task: Task) -> None:
        error = None if task.cancelled() else task.exception()
        session, self._session = self._session, None
        self._task = None
        if session is None:
            return
        if session._tasks is not None:
            session._tasks.pop(self, None)
        error = self._settle(session, error, cancelled=task.cancelled())
        if session._ending is not None:
            session._ending.task_ended(self, error)
        elif error is not None:
            session._fail(error)

    def _settle(
        self, session: Session, error: BaseException | None, *, cancelled: bool
    ) -> BaseException | None:
        """Return the error that is the session's."""
        return error


class StartedTask(OwnedTask):
    """An owned task that tells when it has started, with anyio's ``task_status.started(value)``."""

    __slots__ = ("_ready",)

    detached = False

    def __init__(self, session: Session, call: object) -> None:
        super().__init__(session, call)
        self._ready: asyncio.Future[Any] = session._supervisor._loop.create_future()

    def started(self, value: object = None) -> None:
        """Tell the one who waits that the task has started."""
        if self._ready.cancelled():
            return
        if self._ready.done():
            raise RuntimeError("task_status.started() was called twice: once is enough")
        self._ready.set_result(value)

    async def ready(self) -> Any:
        """Wait until it has started; a cancelled caller cancels the task."""
        try:
            return await self._ready
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            retrieved(self._ready)

    def _settle(
        self, session: Session, error: BaseException | None, *, cancelled: bool
    ) -> BaseException | None:
        ready = self._ready
        if ready.done():
            return None if ready.cancelled() else error
        if session._end is not None:
            ready.set_exception(SessionClosed(session, session._end[0]))
        elif error is not None:
            ready.set_exception(error)
        elif cancelled:
            ready.set_exception(cancelled_outside(self.where))
        else:
            ready.set_exception(
                RuntimeError(
                    f"{self.where} ended without calling task_status.started(): call it, or use start_soon"
                )
            )
        return None


class HostedContext:
    """
    An async context manager in a task of its own, from enter to exit.

    So whoever ends the session, cancel scopes and task groups inside are left by the task that entered them,
    and a crash inside cancels this task and no bystander.
    """

    __slots__ = (
        "_begun",
        "_cm",
        "_entered",
        "_session",
        "_stop",
        "_task",
        "_thrown",
        "_value",
        "where",
    )

    def __init__(self, session: Session, cm: AbstractAsyncContextManager[Any]) -> None:
        self.where = f"context {describe(cm)}"
        loop = session._supervisor._loop
        self._session: Session | None = session
        self._cm = cm
        self._value: asyncio.Future[Any] = loop.create_future()
        self._stop: asyncio.Future[None] = loop.create_future()
        self._thrown: BaseException | None = None
        self._begun = self._entered = False
        session._own(self)
        # Not through the loop's factory: an eager task would enter before it is known who does.
        self._task = asyncio.Task(
            self._host(), loop=loop, name=f"{session.id}: {self.where}", context=context_of(session)
        )
        self._task.add_done_callback(self._done)

    def __repr__(self) -> str:
        return f"<HostedContext {self.where}>"

    async def value(self) -> Any:
        """Wait for the entered value; when the caller is cancelled, what was or will be entered is left."""
        try:
            return await self._value
        except asyncio.CancelledError:
            if not self._entered:
                self._task.cancel()
            elif not self._stop.done():
                self._stop.set_result(None)
            raise
        finally:
            retrieved(self._value)

    def run(self, thrown: BaseException | None) -> Task | None:
        """Begin to leave the context, throwing *thrown* into it; return the task to wait for."""
        session, self._session = self._session, None
        if session is not None and session._end is not None and not self._value.done():
            self._value.set_exception(SessionClosed(session, session._end[0]))
        self._thrown = thrown
        hide(self._task)
        if not self._begun:
            self._task.cancel()
            return None
        if not self._entered:
            self._task.cancel()
        elif not self._stop.done():
            self._stop.set_result(None)
        return self._task

    async def _host(self) -> None:
        cm, value, stop = self._cm, self._value, self._stop
        cls = type(cm)
        self._begun = True
        try:
            result = await cls.__aenter__(cm)
        except asyncio.CancelledError:
            if self._session is None:  # the session ended meanwhile, and cancelled this
                return
            raise
        self._entered = True
        if not value.done():
            value.set_result(result)
        elif not stop.done():  # nobody waits for it any more
            stop.set_result(None)
        del result, value
        thrown: BaseException | None = None
        crash: BaseException | None = None
        try:
            try:
                await stop
                thrown = self._thrown
            except asyncio.CancelledError as error:
                if stop.cancelled():
                    thrown = crash = error
                else:
                    thrown = self._thrown
            try:
                await cls.__aexit__(cm, *exc_info(thrown))
            except BaseException as error:
                if crash is not None or not is_answer(error, thrown):
                    if isinstance(error, KeyboardInterrupt | SystemExit):
                        raise Fatal(error) from error
                    raise
            if crash is not None:
                raise cancelled_outside(self.where) from crash
        finally:
            del thrown, crash  # they may have a traceback that leads here
            self._thrown = None

    def _done(self, task: Task) -> None:
        error = None if task.cancelled() else task.exception()
        session, self._session = self._session, None
        if session is None:  # the clean-up waits for this task
            return
        session._disown(self)
        if not self._entered:
            if not self._value.done():
                self._value.set_exception(error or cancelled_outside(self.where))
        elif session._ending is not None and error is not None:
            session._ending.failed(error, self.where)  # it crashed before its turn
        elif self._stop.cancelled():
            session._fail(error)
        elif error is not None:  # left early, as its caller was cancelled
            session._supervisor._report(session, error, self.where)
