"""What depends on a session outside of it: timers, containers, listeners, processes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVarTuple, cast

from ._alarms import Alarm, Tenancy, Tenant
from ._belongings import Belongings, callable_
from ._clock import Seconds, seconds
from ._context import describe
from ._resources import Callback, context_of
from ._tasks import OwnedTask

if TYPE_CHECKING:
    from ._session import Session

Ts = TypeVarTuple("Ts")


class Dependants(Belongings):
    """The part of `Session` that keeps watch over what would outlive it."""

    __slots__ = ()

    def call_later(self, delay: Seconds, call: Callable[[*Ts], object], /, *args: *Ts) -> Callback:
        """
        Have ``call(*args)`` called after *delay*, unless the session ends before.

        The timer waits in the supervisor's queue: it fires never early, and late by at most a 256th
        of *delay* or 5 ms. It does not touch the session. If *call* raises, the session ends as
        `resource_failed`, as it does when an owned task crashes.

        Args:
            delay: Seconds from now, or a timedelta.
            call: A function; if it is async, it runs as a task of the session.
            *args: What *call* is given.

        Returns:
            A handle with which to cancel the timer.

        Raises:
            SessionClosed: If the session has ended.
            TypeError: If *call* cannot be called.
        """
        wait = seconds("delay", delay, zero=True)
        self._check_open()
        timer = Timer(cast("Session", self), callable_(call), args)
        self._own(timer)
        timer.set(timer.due + wait, wait)
        return timer

    def _house(self, tenant: Tenant) -> Tenancy:
        """Let a container expire promptly, and empty it when the session ends."""
        self._check_open()
        tenancy = Tenancy(self._supervisor._expiry, tenant)
        tenancy.row = self.callback(tenancy.vacate, self._closed_error)
        return tenancy


class Timer(Callback, Alarm):
    """A call that waits for its time in the supervisor's queue."""

    __slots__ = ("_chunk", "_context", "_expiry", "due")

    def __init__(
        self, session: Session, call: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        super().__init__(session, call, args, {})
        self._chunk = None
        self._context: Context | None = context_of(session, detached=True)
        self._expiry = session._supervisor._expiry
        self.due = session._clock()

    @property
    def where(self) -> str:
        return f"timer {describe(self._call)}"

    def cancel(self) -> bool:
        """
        Forget the call.

        Returns:
            True if it was still to come; False if it was made, or the session has ended.
        """
        cancelled = super().cancel()
        if cancelled:
            self._forget()
        return cancelled

    def ring(self) -> None:
        """Make the call, unless the session has ended."""
        session, context = self._session, self._context
        assert session is not None
        assert context is not None
        session._disown(self)
        self._forget()
        if session._end is not None:
            return
        try:
            result = context.run(self._call, *self._args)
            if isinstance(result, Coroutine):
                coro = cast("Coroutine[Any, Any, object]", result)
                OwnedTask(cast("Session", session), self._call).begin(
                    coro, f"{session.id}: {self.where}"
                )
        except Exception as error:
            cast("Session", session)._fail(error)

    def run(self, thrown: BaseException | None) -> None:  # noqa: ARG002 - as of every step
        """Forget the call, as the session ends."""
        self._forget()

    def _forget(self) -> None:
        self.clear()
        self._session = self._context = None
