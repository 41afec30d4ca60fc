"""One life of one id: what it keeps, and when and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from math import inf
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar, TypeVarTuple

from ._clock import Seconds, seconds
from ._context import describe, refuse_copy, would_deadlock
from ._deadlines import DeadlineQueue
from ._errors import SessionClosed
from ._loading import load
from ._reasons import CloseReason, SessionState
from ._report import describe_session
from ._resources import (
    AsyncCallback,
    Callback,
    EnteredContext,
    HostedContext,
    OwnedTask,
    StartedTask,
    refuse_caller_bound,
)
from ._teardown import Ending, end
from ._waiting import WAITERS, settle, wait_plainly

if TYPE_CHECKING:
    from types import CodeType

    from ._holders import Block
    from ._supervisor import Supervisor

T = TypeVar("T")
P = ParamSpec("P")
Ts = TypeVarTuple("Ts")

_VARS: Final = "vars"  # no map or var has this key: theirs have a number
_LOCK: Final = "lock"
_EMPTY: Final[dict[str, Any]] = {}


class Policy(NamedTuple):
    """The limits that a later call may change; shared by all sessions that have the same."""

    idle: float
    linger: float
    stall: float


class Session:
    """
    One life of one id: an `contextlib.AsyncExitStack` with a name, a deadline and a reason.

    Sessions are made by `Supervisor.session`, `Supervisor.attach` and `Supervisor.open`, not by hand. Their
    methods belong to the loop's thread, but for `touch` and plain attributes.

    .. versionadded:: 0.1
    """

    __slots__ = (
        "__weakref__",
        "_chunk",
        "_clock",
        "_code",
        "_end",
        "_ending",
        "_entered",
        "_extended",
        "_holders",
        "_lasti",
        "_left",
        "_limit",
        "_max_age",
        "_owners",
        "_policy",
        "_slots",
        "_state",
        "_steps",
        "_supervisor",
        "_tasks",
        "_thrown",
        "id",
        "incarnation",
        "last_used",
        "opened_at",
    )

    id: str
    """The id, by which others find the session while it is live."""
    incarnation: int
    """Which life this is: a number that grows, unique in its supervisor."""
    opened_at: float
    """When it was opened, in seconds of the supervisor's clock."""
    last_used: float
    """When it was last used, in seconds of the supervisor's clock."""

    _tasks: dict[OwnedTask, None] | None
    _steps: dict[Callback | HostedContext, None] | None
    _chunk: dict[Any, None] | None

    def __init__(
        self,
        supervisor: Supervisor,
        id: str,
        now: float,
        policy: Policy,
        max_age: float,
        code: CodeType,
        lasti: int,
    ) -> None:
        self.id = id
        self.opened_at = self.last_used = now
        self._supervisor = supervisor
        self._clock = supervisor._clock
        self._policy = policy
        self._max_age = max_age
        self._code = code
        self._lasti = lasti
        self._state = SessionState.IDLE
        self._limit = self._extended = 0.0
        self._owners = 0
        self._entered = False
        self._slots = _EMPTY
        self._holders: dict[Block, None] | None = None
        self._left: tuple[CloseReason, BaseException | None] | None = None
        self._tasks = self._steps = self._chunk = None
        self._end: tuple[CloseReason, float] | None = None
        self._ending: Ending | None = None
        self._thrown: BaseException | None = None

    __reduce_ex__ = refuse_copy("a Session", "pass its id, and look it up with supervisor.get(id)")

    def __repr__(self) -> str:
        return describe_session(self)

    # What it is

    @property
    def state(self) -> SessionState:
        """Where it is in its life."""
        return self._state

    @property
    def supervisor(self) -> Supervisor:
        """The supervisor that owns it."""
        return self._supervisor

    @property
    def opened_where(self) -> str:
        """The place in the source that opened it, as ``file:line``."""
        return place(self._code, self._lasti)

    @property
    def deadline(self) -> float | None:
        """When it ends if nothing happens, in seconds of the supervisor's clock; None for never or ended."""
        due = self._due()
        return None if due == inf or self._end is not None else due

    @property
    def expires_in(self) -> float | None:
        """Seconds until the deadline, 0 if it has passed; None for never or ended."""
        deadline = self.deadline
        return None if deadline is None else max(0.0, deadline - self._clock())

    @property
    def close_reason(self) -> CloseReason | None:
        """Why it ended; None while it is live."""
        return None if self._end is None else self._end[0]

    @property
    def exception(self) -> BaseException | None:
        """What the last owner's block raised, or the crash that ended it, until it is closed."""
        if self._ending is not None:
            return self._ending.error
        return None if self._left is None else self._left[1]

    @property
    def vars(self) -> dict[str, Any]:
        """
        A plain dict for whatever has no better place; dropped when the session is closed.

        Raises:
            SessionClosed: If it is closed.
        """
        found: dict[str, Any] = self._slot(_VARS, dict)
        return found

    @property
    def lock(self) -> asyncio.Lock:
        """
        A lock that lives and dies with the session.

        Raises:
            SessionClosed: If it is closed.
        """
        found: asyncio.Lock = self._slot(_LOCK, asyncio.Lock)
        return found

    def _slot(self, key: str, factory: Callable[[], Any]) -> Any:
        slots = self._slots
        if key not in slots:
            slots = self._writable()
            slots[key] = factory()
        return slots[key]

    def _writable(self) -> dict[str, Any]:
        """Return the slots, to write to them."""
        self._check_thread()
        if self._state is SessionState.CLOSED:
            raise self._closed_error()
        if self._slots is _EMPTY:
            self._slots = {}
        return self._slots

    # Its deadline

    def touch(self) -> None:
        """
        Restart the idle, linger or stall clock, whichever runs.

        Costs one attribute write; the deadline queue learns of it when the old deadline comes up. May be called
        from any thread. After the end it does nothing.
        """
        if self._end is None:
            self.last_used = self._clock()

    def extend(self, seconds_: Seconds, /) -> None:
        """
        Move the running deadline to at least this far from now, though never beyond `max_age`.

        Args:
            seconds_: Seconds from now, or a timedelta.

        Raises:
            SessionClosed: If the session has ended.
        """
        until = self._clock() + seconds("seconds", seconds_)
        self._check_open()
        self._extended = max(self._extended, until)

    def _due(self) -> float:
        due = self.last_used + self._limit
        if due < self._extended:
            due = self._extended
        age = self.opened_at + self._max_age
        return age if age < due else due

    def _due_reason(self) -> tuple[CloseReason, BaseException | None]:
        """Return why it ends now that it is due."""
        if self.opened_at + self._max_age <= self._due():
            return CloseReason.EXPIRED, None
        if self._holders:
            return CloseReason.STALLED, None
        if self._left is not None:
            return self._left
        unused = not self._entered and self._limit < self._policy.idle
        return (CloseReason.UNUSED if unused else CloseReason.IDLE), None

    def _enqueue(self, queue: DeadlineQueue[Session]) -> None:
        due = self._due()
        limit = self._limit
        timeout = limit if limit < self._max_age else self._max_age
        tick = queue.add(self, due, timeout)
        if tick < self._supervisor._expiry.armed:
            self._supervisor._expiry.arm(tick)

    def _leave_queue(self) -> None:
        chunk = self._chunk
        if chunk is not None:
            del chunk[self]
            self._chunk = None

    def _go_idle(self) -> None:
        """Nobody is inside: let the clock run that fits."""
        self._state = SessionState.IDLE
        policy = self._policy
        if self._left is not None:
            self._limit = policy.linger
        elif self._entered:
            self._limit = policy.idle
        else:
            self._limit = min(policy.idle, self._supervisor._unused_timeout)
        self._leave_queue()
        self._enqueue(self._supervisor._expiry.idle)

    def _go_open(self) -> None:
        """Somebody is inside: only `stall_timeout` and `max_age` limit that."""
        self._state = SessionState.OPEN
        self._limit = limit = self._policy.stall
        if self._chunk is not None:
            self._leave_queue()
        if limit < inf or self._max_age < inf:
            self._enqueue(self._supervisor._expiry.held)

    # What it owns

    def callback(self, call: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> Callback:
        """
        Have *call* called when the session ends, after what was added later.

        It runs once, whatever ended the session, inline and without waiting. While the session is CLOSING it is
        still accepted, and runs.

        Returns:
            A handle with which to take it back.

        Raises:
            SessionClosed: If the session is closed.
            TypeError: If *call* is no plain function.
        """
        if asyncio.iscoroutinefunction(call):
            raise TypeError(f"callback() needs a plain function, not async {describe(call)}: use push_async_callback")
        return self._add(Callback(self, _callable(call), args, kwargs))

    def push_async_callback(
        self, call: Callable[P, Awaitable[object]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Callback:
        """
        Have ``await call(*args, **kwargs)`` run when the session ends, after what was added later.

        It runs once, in a task that nobody else can cancel, within its share of `close_timeout`. While the session
        is CLOSING it is still accepted, and runs.

        Returns:
            A handle with which to take it back.

        Raises:
            SessionClosed: If the session is closed.
            TypeError: If *call* cannot be called.
        """
        return self._add(AsyncCallback(self, _callable(call), args, kwargs))

    def _add(self, callback: Callback) -> Callback:
        self._check_thread()
        if self._state is SessionState.CLOSED:
            raise self._closed_error()
        self._own(callback)
        return callback

    def enter_context(self, cm: AbstractContextManager[T]) -> T:
        """
        Enter a context manager, which is left when the session ends; if it did not complete, with its error.

        Raises:
            SessionClosed: If the session has ended.
            TypeError: If *cm* acts on its caller's task, as `anyio.CancelScope` does, or is no context manager.
        """
        self._check_open()
        refuse_caller_bound(cm)
        cls = type(cm)
        if not (hasattr(cls, "__enter__") and hasattr(cls, "__exit__")):
            advice = "use enter_async_context" if hasattr(cls, "__aenter__") else "it has no __enter__ and __exit__"
            raise TypeError(f"enter_context() needs a context manager, not {cm!r}: {advice}")
        result = cm.__enter__()
        self._own(EnteredContext(self, cm, (), {}))  # type: ignore[arg-type]
        return result

    async def enter_async_context(self, cm: AbstractAsyncContextManager[T]) -> T:
        """
        Enter an async context manager in a task of its own, in which it is left when the session ends.

        So task groups and cancel scopes inside may be left whoever ends the session. If the session did not
        complete, its error or `SessionClosed` is thrown in, so that a transaction rolls back. A crash inside ends
        the session as `resource_failed`. When the caller is cancelled while entering, what was entered is left.

        Raises:
            SessionClosed: If the session has ended, or ends while entering.
            TypeError: If *cm* acts on its caller's task, as `asyncio.timeout` does, or is no async context manager.
        """
        self._check_open()
        refuse_caller_bound(cm)
        cls = type(cm)
        if not (hasattr(cls, "__aenter__") and hasattr(cls, "__aexit__")):
            advice = "use enter_context" if hasattr(cls, "__enter__") else "it has no __aenter__ and __aexit__"
            raise TypeError(f"enter_async_context() needs an async context manager, not {cm!r}: {advice}")
        result: T = await HostedContext(self, cm).value()
        return result

    def start_soon(
        self, call: Callable[[*Ts], Coroutine[Any, Any, object]], /, *args: *Ts, name: object = None
    ) -> OwnedTask:
        """
        Start ``call(*args)`` as a task that is cancelled and waited for when the session ends.

        If it raises, the session ends as `resource_failed`. If it returns, or is cancelled, nothing ends.

        Returns:
            A handle with which to cancel the task.

        Raises:
            SessionClosed: If the session has ended.
            TypeError: If *call* is not an async function.
        """
        self._check_open()
        owned = OwnedTask(self, call)
        owned.begin(_coroutine(call, args), str(name or f"{self.id}: {owned.where}"))
        return owned

    async def start(self, call: Callable[..., Coroutine[Any, Any, object]], /, *args: Any, name: object = None) -> Any:
        """
        Same as `start_soon`, but wait until the task calls ``task_status.started(value)``, and return the value.

        *call* gets *task_status* as a keyword argument, as in anyio. An error before it has started is raised
        here and ends nothing. Cancelling the wait cancels the task.

        Raises:
            SessionClosed: If the session has ended, or ends before the task has started.
            RuntimeError: If the task ends without having started.
        """
        self._check_open()
        owned = StartedTask(self, call)
        owned.begin(_coroutine(call, args, task_status=owned), str(name or f"{self.id}: {owned.where}"))
        return await owned.ready()

    async def get_or_create(self, key: Hashable, factory: Callable[[], Awaitable[T]]) -> T:
        """
        Return the value of *key*, made by ``await factory()`` if there is none yet.

        However many ask at once, the factory runs once, in a task of the session. A failure reaches all who wait
        and is not remembered. One waiter's cancellation never reaches the others; with the last waiter the load
        is cancelled. The value is dropped when the session is closed.

        Raises:
            SessionClosed: If the session has ended, or ends meanwhile.
            RuntimeError: If a load waits, directly or through others, for its own key.
            TypeError: If *factory* is no function, or does not return an awaitable.
        """
        self._check_open()
        return await load(self, key, _callable(factory))

    def _own(self, step: Callback | HostedContext) -> None:
        if self._steps is None:
            self._steps = {step: None}
        else:
            self._steps[step] = None

    def _disown(self, step: Callback | HostedContext) -> None:
        if self._steps is not None:
            self._steps.pop(step, None)

    def _owns_nothing(self) -> bool:
        return not (self._holders or self._steps or self._tasks)

    # Its end

    def close_soon(self, reason: CloseReason = CloseReason.COMPLETED) -> bool:
        """
        Same as `aclose`, but does not wait.

        Returns:
            True if this call decided the end; False if the session had ended before.
        """
        self._check_thread()
        return end(self, check_reason(reason)) is not None

    async def aclose(self, reason: CloseReason = CloseReason.COMPLETED) -> bool:
        """
        End the session and wait for its clean-up.

        Its holder is cancelled at its next await, and its block swallows exactly that; other holders get
        `SessionClosed`. A holder, an owned task and the clean-up itself do not wait here: it could not end.
        Cancelling the wait stops the waiting, not the clean-up.

        Returns:
            True if this call decided the end; False if the session had ended before.

        Raises:
            ExceptionGroup: The errors of the clean-up, if this call decided the end.
        """
        self._check_thread()
        ending = end(self, check_reason(reason), claim=True)
        await settle(self, ending)
        return ending is not None

    async def wait_closed(self) -> CloseReason:
        """
        Wait until the session is closed, and return why. Cancelling the wait changes nothing.

        Raises:
            RuntimeError: If the session cannot end before the caller goes on: in its own block, owned task or
                clean-up, or in the clean-up of a session that one of its holders waits for.
        """
        if self._state is not SessionState.CLOSED and would_deadlock(self):
            raise RuntimeError(
                f"wait_closed() of session {self.id!r} would never return: the session cannot end before the code "
                f"that waits here does; call it from outside of its blocks, owned tasks and clean-up"
            )
        await wait_plainly(self)
        assert self._end is not None
        return self._end[0]

    def _fail(self, error: BaseException | None) -> None:
        """End the session because something that it owns crashed."""
        end(self, CloseReason.RESOURCE_FAILED, error)

    def _drop(self) -> None:
        self._state = SessionState.CLOSED
        waiters, self._slots = self._slots.get(WAITERS, ()), _EMPTY
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._ending = self._steps = self._tasks = self._holders = self._left = self._thrown = None

    def _closed_error(self) -> SessionClosed:
        assert self._end is not None
        if self._ending is not None:
            return self._ending.closed_error(self)
        return SessionClosed(self, self._end[0])

    def _ended_ago(self) -> float:
        return 0.0 if self._end is None else self._clock() - self._end[1]

    def _check_open(self) -> None:
        self._check_thread()
        if self._end is not None:
            raise self._closed_error()

    def _check_thread(self) -> None:
        if get_ident() != self._supervisor._thread:
            raise RuntimeError(
                f"session {self.id!r} belongs to another thread: use loop.call_soon_threadsafe(...), or "
                f"supervisor.close_threadsafe({self.id!r}) to end it"
            )


def check_reason(reason: CloseReason) -> CloseReason:
    """Refuse what is no reason."""
    if not isinstance(reason, CloseReason):
        raise TypeError(f"reason must be a CloseReason such as CloseReason.DELETED, not {reason!r}")
    return reason


def place(code: CodeType, lasti: int) -> str:
    """Return a place in the source as ``file:line``."""
    line = next(
        (line for start, stop, line in code.co_lines() if start <= lasti < stop and line), code.co_firstlineno
    )
    return f"{code.co_filename}:{line}"


def _callable(call: Callable[P, T]) -> Callable[P, T]:
    if not callable(call):
        if isinstance(call, Coroutine):
            call.close()
            raise TypeError("a coroutine was passed where a function is needed: write f, args instead of f(args)")
        raise TypeError(f"a function is needed, not {call!r}")
    return call


def _coroutine(
    call: Callable[..., Any], args: tuple[Any, ...], **kwargs: object
) -> Coroutine[Any, Any, object]:
    coro = _callable(call)(*args, **kwargs)
    if not isinstance(coro, Coroutine):
        raise TypeError(f"an async function is needed, but {describe(call)} returned {coro!r}")
    return coro
