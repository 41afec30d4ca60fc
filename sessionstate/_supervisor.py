"""Opens, watches and ends sessions."""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Callable
from contextvars import Context
from math import inf
from secrets import token_hex
from threading import get_ident
from types import CodeType, TracebackType
from typing import Self, TypeVar, overload

import anyio
from anyio.abc import TaskStatus

from ._admission import Admission, WhenFull, merged, number
from ._alarms import Tenancy
from ._clock import UNSET, Seconds, Unset, clock_of, limit, named_limit, seconds
from ._context import Task
from ._default import enlist
from ._events import Observers
from ._expiry import Expiry
from ._holders import NOTHING_NAMED, Block, Opener, Owner, Settings, StrictVisitor, Visitor
from ._reasons import CloseReason
from ._registry import Live, Registry, check_id
from ._session import Policy, Session, check_reason
from ._shutdown import Shutdown
from ._statistics import Counts
from ._waiting import settle

D = TypeVar("D")
R = TypeVar("R")


class Supervisor(Registry):
    """
    Owns sessions: opens them, watches their deadlines and ends them.

    Lives as long as the application: ``async with Supervisor() as supervisor``, or `run` inside a
    task group. It may be left by another task than entered it. It is also a mapping of the live
    sessions by id, always true, and compared by identity; iteration is over a snapshot.

    Durations are seconds as a number or a `datetime.timedelta`; None means never.

    Args:
        idle_timeout: Seconds that a session may go unused while nobody is inside.
        max_age: Seconds from its opening after which a session ends, however busy.
        unused_timeout: A shorter idle limit for opened sessions until their first block is entered.
        stall_timeout: Seconds that a held session may go without activity.
        linger: Seconds that a session stays after its last owner left; 0 ends it at once.
        max_sessions: How many sessions may be live at once; None for any number.
        when_full: What an opening does then: ``"evict"`` the session idle longest, ``"refuse"``, or
            ``"wait"``.
        open_timeout: Seconds that an opening waits for room.
        close_timeout: The budget, in seconds, of one session's whole clean-up.
        shutdown_timeout: Seconds within which leaving the supervisor ends every session.
        max_closing: How many clean-ups may run at once before openings and expiry wait for them.
        default: Whether the module functions and maps of this event loop use this supervisor.
        clock: A monotonic clock, in seconds. Default: `time.monotonic`, or the loop's own where its
            time is not real. It must run as fast as the loop's: a jump ahead is noticed when the
            loop's timer comes, or when somebody enters the session.
        name: A name for tasks, messages and statistics.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        *,
        idle_timeout: Seconds | None = 1800.0,
        max_age: Seconds | None = None,
        unused_timeout: Seconds | None = None,
        stall_timeout: Seconds | None = None,
        linger: Seconds = 0.0,
        max_sessions: int | None = 10_000,
        when_full: WhenFull = "evict",
        open_timeout: Seconds | None = None,
        close_timeout: Seconds | None = 5.0,
        shutdown_timeout: Seconds | None = 15.0,
        max_closing: int | None = 1_000,
        default: bool = True,
        clock: Callable[[], float] | None = None,
        name: str = "sessionstate",
    ) -> None:
        self._entered = False
        self._running = False
        self._policy = Policy(
            limit("idle_timeout", idle_timeout),
            seconds("linger", linger, zero=True),
            limit("stall_timeout", stall_timeout),
        )
        self._max_age = limit("max_age", max_age)
        self._unused_timeout = limit("unused_timeout", unused_timeout)
        self._close_timeout = limit("close_timeout", close_timeout)
        self._shutdown_timeout = limit("shutdown_timeout", shutdown_timeout)
        self._max_sessions = number("max_sessions", max_sessions)
        if when_full not in ("evict", "refuse", "wait"):
            raise ValueError(f"when_full must be 'evict', 'refuse' or 'wait', not {when_full!r}")
        if clock is not None and not callable(clock):
            raise TypeError(
                f"clock must be a function that returns seconds, such as time.monotonic, not "
                f"{clock!r}"
            )
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {name!r}")
        self.name = name
        self._default = bool(default)
        self._given_clock = clock
        self._shutdown_ends = inf
        self._live = Live()
        self._live.supervisor = weakref.ref(self)
        self._closing: dict[str, Session] = {}
        self._counts = Counts()
        self._number = 0
        self._observers = Observers(self._counts)
        self._admission = Admission(
            self,
            self._max_sessions,
            when_full,
            limit("open_timeout", open_timeout),
            number("max_closing", max_closing),
        )
        self._expiry = Expiry(self)
        self._context = Context()  # timers keep their context alive: a clean one pins nothing
        self._abandoned: dict[Task, None] = {}
        self._tenancies: weakref.WeakSet[Tenancy] = weakref.WeakSet()
        self._loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self._thread = 0
        self._code: CodeType | None = None
        self._lasti = 0
        self._shutdown: Shutdown | None = None

    __slots__ = ()

    # Its life

    async def __aenter__(self) -> Self:
        frame = sys._getframe(1)
        self._start(frame.f_code, frame.f_lasti)
        return self

    async def __aexit__(
        self,
        cls: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stop()

    async def run(self, *, task_status: TaskStatus[Supervisor] = anyio.TASK_STATUS_IGNORED) -> None:
        """
        Run until cancelled: for frameworks, as ``await task_group.start(supervisor.run)``.

        Cancelling it is the ordinary end: every session is ended first.
        """
        async with self:
            task_status.started(self)
            await self._loop.create_future()

    def _start(self, code: CodeType, lasti: int) -> None:
        if self._entered:
            raise RuntimeError(
                f"supervisor {self.name!r} was entered before: make a new one for each 'async with'"
            )
        loop = asyncio.get_running_loop()
        if self._default:
            enlist(loop, self)
        self._entered = True
        self._loop = loop
        self._thread = get_ident()
        self._clock = self._given_clock or clock_of(loop)
        self._code, self._lasti = code, lasti
        self._running = True
        self._admission.changed()
        self._expiry.start()

    async def _stop(self) -> None:
        """Leave: end every session, and wait for that through every cancellation."""
        if not self._entered:
            raise RuntimeError(
                f"supervisor {self.name!r} was not entered: write 'async with Supervisor()'"
            )
        self._check_loop()
        if self._shutdown is None:
            self._shutdown = Shutdown(self)
        await self._shutdown.wait()

    # Ways into a session

    def session(
        self,
        id: str | None = None,
        *,
        linger: Seconds | Unset = UNSET,
        max_age: Seconds | Unset | None = UNSET,
        stall_timeout: Seconds | Unset | None = UNSET,
    ) -> Block:
        """
        Return a block that is the session: when its last owner leaves, the session ends.

        It opens the session, or joins the one that is live; of one that is closing, it waits for
        the end and opens a new one. Leaving waits for the whole clean-up, through every
        cancellation. When the session ends while somebody is inside, the body is cancelled at its
        await and the block raises `SessionClosed`, unless the body asked for the end itself.

        Args:
            id: The id, by which others find it. None for a random one of 128 bits.
            linger: Seconds that the session stays after its last owner left.
            max_age: Seconds from its opening after which it ends; None for never. Settled by
                whoever opens.
            stall_timeout: Seconds that it may be held without activity; None for ever.

        Raises:
            SupervisorFull: On entering, if there is no room.
            SupervisorClosed: On entering, if the supervisor is not running.
            SessionClosed: On leaving, if the session ended while the body was inside.
            ExceptionGroup: On leaving, the errors of the clean-up, if the body raised none.
        """
        settings = NOTHING_NAMED
        if linger is not UNSET or max_age is not UNSET or stall_timeout is not UNSET:
            settings = Settings(
                None,
                None if linger is UNSET else seconds("linger", linger, zero=True),
                named_limit("stall_timeout", stall_timeout),
                named_limit("max_age", max_age),
            )
        frame = sys._getframe(1)
        if id is None:
            id = token_hex(16)
        elif type(id) is not str or not id:
            id = check_id(id)
        return Owner(self, id, settings, frame.f_code, frame.f_lasti)

    def attach(
        self,
        id: str,
        *,
        create: bool = True,
        idle_timeout: Seconds | Unset | None = UNSET,
        max_age: Seconds | Unset | None = UNSET,
        stall_timeout: Seconds | Unset | None = UNSET,
    ) -> Block:
        """
        Return a block that uses a session spanning many requests: it pins the session while inside.

        When the last block is left, the session stays until its idle timeout, whatever the block
        raised. Leaving waits for nothing.

        Args:
            id: The session's id.
            create: Whether to open the session if there is none.
            idle_timeout: Seconds that it may go unused while nobody is inside; None for ever.
            max_age: Seconds from its opening after which it ends; None for never. Settled by
                whoever opens.
            stall_timeout: Seconds that it may be held without activity; None for ever.

        Raises:
            SessionNotFound: On entering, at once, if there is none and *create* is false.
            SupervisorFull: On entering, if there is no room.
            SupervisorClosed: On entering, if the supervisor is not running.
            SessionClosed: On leaving, if the session ended while the body was inside.
        """
        settings = NOTHING_NAMED
        if idle_timeout is not UNSET or max_age is not UNSET or stall_timeout is not UNSET:
            settings = Settings(
                named_limit("idle_timeout", idle_timeout),
                None,
                named_limit("stall_timeout", stall_timeout),
                named_limit("max_age", max_age),
            )
        frame = sys._getframe(1)
        kind = Visitor if create else StrictVisitor
        if type(id) is not str or not id:
            id = check_id(id)
        return kind(self, id, settings, frame.f_code, frame.f_lasti)

    async def open(
        self,
        id: str,
        *,
        idle_timeout: Seconds | Unset | None = UNSET,
        max_age: Seconds | Unset | None = UNSET,
    ) -> Session:
        """
        Open a session that no block holds, or touch the one that is live, and return it.

        Args:
            id: The session's id.
            idle_timeout: Seconds that it may go unused; None for ever.
            max_age: Seconds from its opening after which it ends; None for never. Settled by
                whoever opens.

        Raises:
            SupervisorFull: If there is no room.
            SupervisorClosed: If the supervisor is not running.
            SessionClosed: If it ended while its `on_open` hooks ran.
        """
        settings = Settings(
            named_limit("idle_timeout", idle_timeout), None, None, named_limit("max_age", max_age)
        )
        self._check_loop()
        frame = sys._getframe(1)
        return await self._admission.open(
            Opener(self, check_id(id), settings, frame.f_code, frame.f_lasti)
        )

    async def lookup(self, id: str) -> Session | None:
        """
        Same as `get`, but wait for an id that is being closed to settle first.

        Raises:
            RuntimeError: In the clean-up, an owned task or a block of the session that is being
                closed.
        """
        while (session := self._closing.get(check_id(id))) is not None:
            self._check_loop()
            await self._admission.wait_settled(session)
        return self._live.get(id)

    @overload
    def get(self, id: str, default: None = None, /) -> Session | None: ...
    @overload
    def get(self, id: str, default: Session | D, /) -> Session | D: ...
    def get(self, id: str, default: Session | D | None = None, /) -> Session | D | None:
        """
        Return the live session with this id, or *default*; never create, touch or wait.
        """
        return self._live.get(id, default)

    # Ways out

    def close_soon(self, id: str, /, *, reason: CloseReason = CloseReason.DELETED) -> bool:
        """
        Same as `close`, but does not wait: for an event that tells of the end.

        Returns:
            True if this call decided the end; False if no live session has this id.
        """
        session = self._live.get(check_id(id))
        check_reason(reason)
        if session is None:
            return False
        return session.close_soon(reason)

    async def close(self, id: str, *, reason: CloseReason = CloseReason.DELETED) -> bool:
        """
        End a session and wait for its clean-up.

        Cancelling the wait stops the waiting, not the clean-up. In a block, an owned task or the
        clean-up of the session itself it does not wait, as the session could not end.

        Returns:
            True if this call decided the end; False if no live session has this id. Of one that is
            closing it waits for the end, and answers False.

        Raises:
            ExceptionGroup: The errors of the clean-up, if this call decided the end.
        """
        check_reason(reason)
        session = self._live.get(check_id(id))
        if session is not None:
            return await session.aclose(reason)
        session = self._closing.get(id)
        if session is not None:
            session._check_thread()
            await settle(session, None)
        return False

    def close_threadsafe(self, id: str) -> None:
        """
        Same as `close_soon`, but may be called from any thread.

        Once the supervisor was left, it does nothing.

        Raises:
            SupervisorClosed: If the supervisor was not entered yet.
        """
        check_id(id)
        if not self._entered:
            self._check_running()
        if self._running and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.close_soon, id)

    # For the other modules

    def _create(self, block: Block, now: float) -> Session:
        session = Session(self, block._id, now, block._code, block._lasti)
        self._live[block._id] = session
        self._opened(session, block._settings)
        return session

    def _opened(self, session: Session, settings: Settings) -> None:
        """Give a new session what its opening named, and tell of it."""
        session._policy = merged(session._policy, settings)
        if settings.max_age is not None:
            session._max_age = settings.max_age
        if self._observers.active:
            self._observers.opened(session)
