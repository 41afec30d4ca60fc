"""Async context managers that live in a task of their own, from enter to exit."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from ._context import Task, describe
from ._errors import SessionClosed
from ._resources import (
    Fatal,
    cancelled_outside,
    context_of,
    exc_info,
    hide,
    is_answer,
    retrieved,
)

if TYPE_CHECKING:
    from ._session import Session


class HostedContext:
    """
    An async context manager in a task of its own, from enter to exit.

    So whoever ends the session, cancel scopes and task groups inside are left by the task that
    entered them, and a crash inside cancels this task and no bystander.
    """

    __slots__ = (
        "_begun",
        "_cm",
        "_crash",
        "_entered",
        "_session",
        "_stop",
        "_task",
        "_thrown",
        "_value",
        "where",
    )

    kind = "context"

    def __init__(self, session: Session, cm: AbstractAsyncContextManager[Any]) -> None:
        self.where: str = f"context {describe(cm)}"
        loop = session._supervisor._loop
        self._session: Session | None = session
        self._cm = cm
        self._value: asyncio.Future[Any] | None = loop.create_future()
        self._stop: asyncio.Future[None] = loop.create_future()
        self._thrown: BaseException | None = None
        self._begun = self._entered = False
        self._crash: RuntimeError | None = None
        session._own(self)
        # Not through the loop's factory: an eager task would enter before it is known who does.
        self._task: Task | None = asyncio.Task(
            self._host(), loop=loop, name=f"{session.id}: {self.where}", context=context_of(session)
        )
        self._task.add_done_callback(self._done)

    async def value(self) -> Any:  # noqa: ANN401 - whatever the context gives
        """
        Wait for the entered value; cancelling the wait leaves what was or will be entered.
        """
        value = self._value
        assert value is not None
        try:
            return await value
        except asyncio.CancelledError:
            if not self._entered and self._task is not None:
                self._task.cancel()
            elif not self._stop.done():
                self._stop.set_result(None)
            raise
        finally:
            retrieved(value)
            self._value = None
            del value  # the traceback of its error leads here

    def run(self, thrown: BaseException | None) -> Task | None:
        """Begin to leave the context, throwing *thrown* into it; return the task to wait for."""
        session, self._session = self._session, None
        task = self._task
        assert session is not None
        assert session._end is not None
        assert task is not None
        self._fail_caller(SessionClosed(session, session._end[0]))
        self._thrown = thrown
        hide(task)
        if not self._entered:
            task.cancel()
            return task if self._begun and not task.done() else None
        if not self._stop.done():
            self._stop.set_result(None)
        return task

    def _fail_caller(self, error: BaseException) -> None:
        if self._value is not None and not self._value.done():
            self._value.set_exception(error)

    async def _host(self) -> None:
        cm, stop = self._cm, self._stop
        cls = type(cm)
        self._begun = True
        try:
            result = await cls.__aenter__(cm)
        except asyncio.CancelledError:
            if self._session is None:  # the session ended meanwhile, and cancelled this
                return
            raise
        self._entered = True
        if self._value is not None and not self._value.done():
            self._value.set_result(result)
        else:  # nobody waits for it any more
            stop.set_result(None)
        del result
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
            if crash is not None:  # kept, as asyncio.run() complains of tasks that raise at its end
                self._crash = cancelled_outside(self.where)
                self._crash.__cause__ = crash
        finally:
            del thrown, crash  # they may have a traceback that leads here
            self._thrown = None

    def _done(self, task: Task) -> None:
        error = None if task.cancelled() else task.exception() or self._crash
        self._crash = None
        session, self._session = self._session, None
        self._task = None  # it keeps its error, whose traceback leads here
        if session is None:  # the clean-up waits for this task
            return
        session._disown(self)
        if not self._entered:
            self._fail_caller(error or cancelled_outside(self.where))
        elif session._ending is not None and error is not None:
            session._ending.failed(error, self.where)  # it crashed before its turn
        elif self._stop.cancelled():
            session._fail(error)
        elif error is not None:  # left early, as its caller was cancelled
            session._supervisor._report(session, error, self.where)
