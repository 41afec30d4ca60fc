"""What a session keeps and owns: values, promised clean-ups, contexts and tasks."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from inspect import CO_COROUTINE
from threading import get_ident
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, TypeVarTuple, cast

from ._context import EMPTY, describe
from ._hosting import HostedContext
from ._loading import load
from ._resources import (
    AsyncCallback,
    Callback,
    EnteredContext,
    exc_info,
    refuse_caller_bound,
)
from ._tasks import OwnedTask, StartedTask

if TYPE_CHECKING:
    from ._errors import SessionClosed
    from ._reasons import CloseReason
    from ._session import Session
    from ._supervisor import Supervisor

T = TypeVar("T")
P = ParamSpec("P")
Ts = TypeVarTuple("Ts")

VARS: Final = "vars"  # no map or var has such a key: theirs have a number
LOCK: Final = "lock"


class Belongings:
    """The half of `Session` that keeps and owns."""

    __slots__ = ("_slots", "_steps", "_tasks")

    _slots: dict[str, Any]
    _tasks: dict[OwnedTask, None] | None
    _steps: dict[Callback | HostedContext, None] | None

    if TYPE_CHECKING:
        id: str
        _end: tuple[CloseReason, float] | None
        _supervisor: Supervisor

        def _check_thread(self) -> None: ...
        def _closed_error(self) -> SessionClosed: ...
        def _check_open(self) -> None: ...
        def _check_not_closed(self) -> None: ...

    @property
    def vars(self) -> dict[str, Any]:
        """
        A plain dict for whatever has no better place; dropped when the session is closed.

        Raises:
            SessionClosed: If it is closed.
        """
        found: dict[str, Any] = self._slot(VARS, dict)
        return found

    @property
    def lock(self) -> asyncio.Lock:
        """
        A lock that lives and dies with the session.

        Raises:
            SessionClosed: If it is closed.
        """
        found: asyncio.Lock = self._slot(LOCK, asyncio.Lock)
        return found

    def _slot(self, key: str, factory: Callable[[], Any]) -> Any:  # noqa: ANN401
        slots = self._slots
        if key not in slots:
            slots = self._writable()
            slots[key] = factory()
        return slots[key]

    def _writable(self) -> dict[str, Any]:
        """Return the slots, to write to them."""
        self._check_not_closed()
        if self._slots is EMPTY:
            self._slots = {}
        return self._slots

    # What it owns

    def callback(self, call: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> Callback:
        """
        Have *call* called when the session ends, after what was added later.

        It runs once, whatever ended the session, inline and without waiting. While the session is
        CLOSING it is still accepted, and runs.

        Returns:
            A handle with which to take it back.

        Raises:
            SessionClosed: If the session is closed.
            TypeError: If *call* is no plain function.
        """
        # Written out, as it is most of what a session with one callback costs.
        given: object = call
        if type(given) is not FunctionType or given.__code__.co_flags & CO_COROUTINE:
            _check_plain(given)
        if self._end is not None or get_ident() != self._supervisor._thread:
            self._check_not_closed()
        callback = Callback(self, call, args, kwargs)
        if self._steps is None:
            self._steps = {callback: None}
        else:
            self._steps[callback] = None
        return callback

    def push_async_callback(
        self, call: Callable[P, Awaitable[object]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Callback:
        """
        Have ``await call(*args, **kwargs)`` run when the session ends, after what was added later.

        It runs once, in a task that nobody else can cancel, within its share of `close_timeout`.
        While the session is CLOSING it is still accepted, and runs.

        Returns:
            A handle with which to take it back.

        Raises:
            SessionClosed: If the session is closed.
            TypeError: If *call* cannot be called.
        """
        self._check_not_closed()
        callback = AsyncCallback(self, callable_(call), args, kwargs)
        self._own(callback)
        return callback

    def enter_context(self, cm: AbstractContextManager[T]) -> T:
        """
        Enter a context manager, which is left when the session ends.

        If the session did not complete, its error is thrown in.

        Raises:
            SessionClosed: If the session has ended.
            TypeError: If *cm* acts on its caller's task, as `anyio.CancelScope` does, or is no
                context manager.
        """
        self._check_open()
        refuse_caller_bound(cm)
        cls = type(cm)
        if not (hasattr(cls, "__enter__") and hasattr(cls, "__exit__")):
            advice = (
                "use enter_async_context"
                if hasattr(cls, "__aenter__")
                else "it has no __enter__ and __exit__"
            )
            raise TypeError(f"enter_context() needs a context manager, not {cm!r}: {advice}")
        result = cm.__enter__()
        if self._end is not None:  # entering it ended the session
            closed = self._closed_error()
            cm.__exit__(*exc_info(closed))
            raise closed
        self._own(EnteredContext(self, cm, (), {}))  # type: ignore[arg-type]
        return result

    async def enter_async_context(self, cm: AbstractAsyncContextManager[T]) -> T:
        """
        Enter an async context manager in a task of its own, which leaves it at the session's end.

        So task groups and cancel scopes inside may be left whoever ends the session. If the session
        did not complete, its error or `SessionClosed` is thrown in, so that a transaction rolls
        back. A crash inside ends the session as `resource_failed`. When the caller is cancelled
        while entering, what was entered is left.

        Raises:
            SessionClosed: If the session has ended, or ends while entering.
            TypeError: If *cm* acts on its caller's task, as `asyncio.timeout` does, or is no async
                context manager.
        """
        self._check_open()
        refuse_caller_bound(cm)
        cls = type(cm)
        if not (hasattr(cls, "__aenter__") and hasattr(cls, "__aexit__")):
            advice = (
                "use enter_context"
                if hasattr(cls, "__enter__")
                else "it has no __aenter__ and __aexit__"
            )
            raise TypeError(
                f"enter_async_context() needs an async context manager, not {cm!r}: {advice}"
            )
        result: T = await HostedContext(cast("Session", self), cm).value()
        return result

    def start_soon(
        self, call: Callable[[*Ts], Coroutine[Any, Any, object]], /, *args: *Ts, name: object = None
    ) -> OwnedTask:
        """
        Start ``call(*args)`` as a task that is cancelled and waited for when the session ends.

        If it raises, the session ends as `resource_failed`. If it returns, or is cancelled, nothing
        ends.

        Returns:
            A handle with which to cancel the task.

        Raises:
            SessionClosed: If the session has ended.
            TypeError: If *call* is not an async function.
        """
        self._check_open()
        owned = OwnedTask(cast("Session", self), call)
        owned.begin(_coroutine(call, args), str(name or f"{self.id}: {owned.where}"))
        return owned

    async def start(
        self,
        call: Callable[..., Coroutine[Any, Any, object]],
        /,
        *args: Any,  # noqa: ANN401 - a keyword argument is added, which no type can say
        name: object = None,
    ) -> Any:  # noqa: ANN401 - whatever the task says
        """
        Same as `start_soon`, but wait for ``task_status.started(value)``, and return the value.

        *call* gets *task_status* as a keyword argument, as in anyio. An error before it has started
        is raised here and ends nothing. Cancelling the wait cancels the task.

        Raises:
            SessionClosed: If the session has ended, or ends before the task has started.
            RuntimeError: If the task ends without having started.
        """
        self._check_open()
        owned = StartedTask(cast("Session", self), call)
        owned.begin(
            _coroutine(call, args, task_status=owned), str(name or f"{self.id}: {owned.where}")
        )
        return await owned.ready()

    async def get_or_create(self, key: Hashable, factory: Callable[[], Awaitable[T]]) -> T:
        """
        Return the value of *key*, made by ``await factory()`` if there is none yet.

        However many ask at once, the factory runs once, in a task of the session. A failure reaches
        all who wait and is not remembered. One waiter's cancellation never reaches the others; with
        the last waiter the load is cancelled. The value is dropped when the session is closed.

        Raises:
            SessionClosed: If the session has ended, or ends meanwhile.
            RuntimeError: If a load waits, directly or through others, for its own key.
            TypeError: If *factory* is no function, or does not return an awaitable.
        """
        self._check_open()
        return await load(cast("Session", self), key, callable_(factory))

    def _own(self, step: Callback | HostedContext) -> None:
        if self._steps is None:
            self._steps = {step: None}
        else:
            self._steps[step] = None

    def _disown(self, step: Callback | HostedContext) -> None:
        (self._steps or {}).pop(step, None)


def _check_plain(call: object) -> None:
    if not callable(call) or inspect.iscoroutinefunction(call):
        raise TypeError(
            f"callback() needs a plain function, not {call!r}: for an async one, use "
            f"push_async_callback"
        )


def callable_(call: Callable[P, T]) -> Callable[P, T]:
    given: object = call
    if not callable(given):
        if isinstance(given, Coroutine):
            given.close()
            raise TypeError(
                "a coroutine was passed where a function is needed: write f, args instead of "
                "f(args)"
            )
        raise TypeError(f"a function is needed, not {call!r}")
    return call


def _coroutine(
    call: Callable[..., Any], args: tuple[Any, ...], **kwargs: object
) -> Coroutine[Any, Any, object]:
    coro: Coroutine[Any, Any, object] = callable_(call)(*args, **kwargs)
    if not isinstance(coro, Coroutine):
        raise TypeError(f"an async function is needed, but {describe(call)} returned {coro!r}")
    return coro
