"""Opens, watches and ends sessions."""

from __future__ import annotations

import asyncio
import signal
import sys
import weakref
from collections.abc import Callable
from contextvars import Context
from math import inf
from threading import get_ident
from types import CodeType, TracebackType
from typing import Self, TypeVar

import anyio
from anyio.abc import TaskStatus

from ._admission import Admission
from ._alarms import Bells, Tenancy
from ._bounds import Bounds
from ._clock import Seconds, clock_of, limit, seconds
from ._context import Task
from ._default import check_vacant, enlist
from ._entrances import Entrances
from ._events import Observers
from ._expiry import Expiry
from ._last import abandon, enrol
from ._leaks import LeakDetection, level_of
from ._memory import MemoryGuard
from ._reasons import CloseReason
from ._registry import Live, check_id
from ._room import WhenFull, number
from ._session import Policy, Session, check_reason
from ._shutdown import Shutdown
from ._signals import multiplexer
from ._statistics import Counts
from ._survey import Surveyor
from ._teardown import Ending, end
from ._ties import check_group, weight_of
from ._tracing import Tracer
from ._waiting import settle

D = TypeVar("D")
R = TypeVar("R")


class Supervisor(Entrances):
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
        max_per_group: How many sessions opened with one *group* may be live at once.
        max_children: How many live descendants a session may have.
        max_weight: How much all sessions may weigh together, in the unit of their weights.
        memory_guard: What sheds idle sessions when the process uses too much memory.
        leak_detection: How closely to watch for sessions that should be gone, such as
            ``"simple"``. Default: what the environment variable ``SESSIONSTATE_LEAK_DETECTION``
            says, or ``"disabled"``.
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
        max_per_group: int | None = None,
        max_children: int | None = None,
        max_weight: float | None = None,
        memory_guard: MemoryGuard | None = None,
        leak_detection: LeakDetection | str | None = None,
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
        if memory_guard is not None and not isinstance(memory_guard, MemoryGuard):
            raise TypeError(
                f"memory_guard must be a MemoryGuard, not {memory_guard!r}: write "
                f"memory_guard=MemoryGuard(high=0.8, low=0.7)"
            )
        self._memory_guard = memory_guard
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
        self._bounds = Bounds(
            inf if max_weight is None else weight_of(max_weight, "max_weight"),
            number("max_per_group", max_per_group),
            number("max_children", max_children),
        )
        self._expiry = Expiry(self)
        self._bells = Bells(self)
        self._tracer = Tracer(self, level_of(leak_detection))
        self._surveyor = Surveyor(self)
        self._requests = 0
        self._entered_at = 0.0
        self._context = Context()  # timers keep their context alive: a clean one pins nothing
        self._abandoned: dict[Task, None] = {}
        self._tenancies: weakref.WeakSet[Tenancy] = weakref.WeakSet()
        self._loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self._thread = self._pid = 0
        self._code: CodeType | None = None
        self._lasti = 0
        self._shutdown: Shutdown | None = None
        if memory_guard is not None:
            memory_guard._belong_to(self)

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
            check_vacant(loop)
        self._loop = loop
        self._thread = get_ident()
        self._clock = self._given_clock or clock_of(loop)
        if self._memory_guard is not None:
            self._memory_guard._start(self)
        if self._default:
            enlist(loop, self)
        self._entered = self._running = True
        self._code, self._lasti = code, lasti
        self._entered_at = self._clock()
        enrol(self)
        self._tracer.start()
        self._admission.changed()
        self._expiry.start()

    async def _stop(self) -> None:
        """Leave: end every session, and wait for that through every cancellation."""
        if not self._entered:
            raise RuntimeError(
                f"supervisor {self.name!r} was not entered: write 'async with Supervisor()'"
            )
        if not self._thread:  # in a forked child, which has nothing to end
            return
        self._check_loop()
        await self._leave().wait()

    def _leave(self) -> Shutdown:
        """Begin to end every session, or find that begun."""
        if self._shutdown is None:
            self._shutdown = Shutdown(self)
        return self._shutdown

    def install_signal_handlers(self) -> tuple[signal.Signals, ...]:
        """
        Let SIGTERM and SIGHUP end the sessions before they end the process.

        For programs that do not start with `sessionstate.run`, under which there is no need of it.
        On such a signal (on Windows: SIGBREAK) every session is ended as by leaving the supervisor,
        within `shutdown_timeout`, and then the process ends by that signal. A second signal changes
        nothing. What the program does after the supervisor is not reached. The signal comes to the
        main thread, which waits for supervisors in the loops of other threads.

        A signal that is ignored, or handled by somebody else such as a server, is left alone. It
        may be called before the supervisor is entered: beneath a server that handles the signals
        itself, it then serves those that the server passes on. Leaving the supervisor restores
        what was there. To call it again is harmless.

        Returns:
            The signals that now do so.

        Raises:
            RuntimeError: Outside of the main thread.
        """
        return multiplexer.take(self)

    def __del__(self) -> None:
        abandon(self)
        multiplexer.release(self)

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

    def close_group_soon(self, group: str, /, *, reason: CloseReason = CloseReason.DELETED) -> int:
        """
        Same as `close_group`, but does not wait.

        Returns:
            How many ends this call decided.
        """
        return len(self._end_group(group, reason, claim=False))

    async def close_group(self, group: str, /, *, reason: CloseReason = CloseReason.DELETED) -> int:
        """
        End every live session that was opened with this *group*, and wait for their clean-up.

        Newest first, so that children end before their parents. Cancelling the wait stops the
        waiting, not the clean-up. What would be a deadlock is not waited for, as in `close`.

        Returns:
            How many ends this call decided.

        Raises:
            ExceptionGroup: The errors of their clean-up.
        """
        ended = self._end_group(group, reason, claim=True)
        errors: list[Exception] = []
        for session, ending in ended.items():
            try:
                await settle(session, ending)
            except ExceptionGroup as error:
                errors.append(error)
            except BaseException:
                for other, its_ending in ended.items():
                    if other is not session:
                        its_ending.disclaim(other)
                raise
        if errors:
            raise ExceptionGroup(f"errors in the clean-up of group {group!r}", errors)
        return len(ended)

    def _end_group(self, group: str, reason: CloseReason, *, claim: bool) -> dict[Session, Ending]:
        check_reason(reason)
        check_group(group)
        self._check_loop()
        bound = self._bounds.groups.get(group)
        ended: dict[Session, Ending] = {}
        fatal: BaseException | None = None
        for session in reversed(list(bound.members)) if bound is not None else ():
            try:
                ending = end(session, reason, claim=claim, asked=True)
            except BaseException as error:  # raised when all of them have been ended
                fatal = error
            else:
                if ending is not None:
                    ended[session] = ending
        if fatal is not None:
            raise fatal
        return ended

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
