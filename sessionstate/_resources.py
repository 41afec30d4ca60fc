"""
What a session owns, each with its way to end.

A session keeps its *steps* (callbacks and contexts) in order, last in, first out, and its tasks
apart, because tasks are ended first and together. Each entry is also the handle that its caller
gets, removes itself when it is done with, and is removed before it runs: it runs once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

import anyio

from ._context import Task, current, describe, loading, opening, serving

if TYPE_CHECKING:
    from ._belongings import Belongings
    from ._session import Session


class Callback:
    """
    A clean-up that was promised; `cancel` takes the promise back.

    .. versionadded:: 0.1
    """

    __slots__ = ("_args", "_call", "_kwargs", "_session")

    kind = "callback"

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
        """
        What runs, for people.
        """
        return f"callback {describe(self._call)}"

    def cancel(self) -> bool:
        """
        Forget the clean-up, which then never runs.

        Returns:
            True if it was still to come; False if it has begun, ran, or was cancelled before.
        """
        session = self._session
        if session is None:
            return False
        session._check_thread()
        self._session = None
        session._disown(self)
        return True

    def run(self, thrown: BaseException | None) -> Awaitable[object] | None:  # noqa: ARG002
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

    kind = "async callback"

    @property
    def where(self) -> str:
        return f"async callback {describe(self._call)}"

    def run(self, thrown: BaseException | None) -> Awaitable[object] | None:  # noqa: ARG002
        self._session = None
        result = self._call(*self._args, **self._kwargs)
        if not isinstance(result, Awaitable):
            raise TypeError(
                f"{self.where} returned {result!r}, which cannot be awaited: use callback"
            )
        return cast("Awaitable[object]", result)


class EnteredContext(Callback):
    """A context manager that was entered, to be left at the end."""

    __slots__ = ()

    kind = "context"

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
            f"a session cannot own {type(cm).__name__}: it acts on the task that enters it, and "
            f"what a session owns lives in a task of its own; write 'with' or 'async with' in the "
            f"body instead"
        )


def is_answer(error: BaseException, thrown: BaseException | None) -> bool:
    """Tell whether *error* only hands back what was thrown: itself, or wrapped by task groups."""
    if thrown is None:
        return False
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(is_answer(each, thrown) for each in group.exceptions)
    return error is thrown


def exc_info(
    error: BaseException | None,
) -> tuple[type[BaseException] | None, BaseException | None, TracebackType | None]:
    """Return the three arguments of ``__exit__``."""
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)


def context_of(session: Session, *, detached: bool = False) -> Context:
    """Copy the current context for a task of *session*; *detached* if its caller does not wait."""
    context = copy_context()
    context.run(current.set, session)
    context.run(serving.set, (session,))
    if detached:
        context.run(loading.set, None)
        context.run(opening.set, None)
    return context


def cancelled_outside(where: str) -> RuntimeError:
    """Return what those get who wait for what somebody else cancelled, and are not cancelled."""
    return RuntimeError(f"{where} was cancelled, by itself or from outside")


def retrieved(future: asyncio.Future[Any]) -> None:
    """
    Keep asyncio from reporting an error that came together with the cancellation of its waiter.
    """
    if future.done() and not future.cancelled():
        future.exception()


def hide(task: Task) -> None:
    """
    Keep a clean-up out of sweeps over `asyncio.all_tasks()`, which would cut it short.

    The function is documented under "Extending asyncio" in the standard library.
    """
    asyncio._unregister_task(task)


class Fatal(Exception):
    """Carries a KeyboardInterrupt or SystemExit out of a task, past the loop, to who raises it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error
