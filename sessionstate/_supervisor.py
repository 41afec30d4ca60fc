"""Opens, watches and ends sessions."""

from __future__ import annotations

import asyncio
import sys
import warnings
import weakref
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from contextvars import Context
from math import inf
from secrets import token_hex
from threading import get_ident
from types import CodeType, MappingProxyType, TracebackType
from typing import Any, TypeVar, overload

import anyio
from anyio.abc import TaskStatus

from ._admission import Admission, WhenFull, merged
from ._clock import UNSET, Seconds, Unset, clock_of, limit, seconds
from ._context import Task, current, refuse_copy
from ._default import enlist
from ._errors import SessionNotFound, SupervisorClosed
from ._events import EventStream, Observers, logger
from ._expiry import Expiry
from ._holders import NOTHING_NAMED, Block, Opener, Owner, Settings, StrictVisitor, Visitor
from ._reasons import CloseReason, SessionState
from ._report import describe_supervisor, dump
from ._session import Policy, Session, check_reason
from ._shutdown import Shutdown
from ._sites import place
from ._statistics import Counts, Statistics
from ._teardown import Ending, end
from ._waiting import clean_up_errors, settle

D = TypeVar("D")
R = TypeVar("R")


class Live(dict[str, Session]):
    """The live sessions by id. A class of its own, because maps refer to it weakly."""

    __slots__ = ("__weakref__", "supervisor")

    supervisor: Callable[[], Supervisor | None]


class Supervisor(Mapping[str, Session]):
    """
    Owns sessions: opens them, watches their deadlines and ends them.

    Lives as long as the application: ``async with Supervisor() as supervisor``, or `run` inside a task group. It
    may be left by another task than entered it. It is also a mapping of the live sessions by id, always true, and
    compared by identity; iteration is over a snapshot.

    Durations are seconds as a number or a `datetime.timedelta`; None means never.

    Args:
        idle_timeout: Seconds that a session may go unused while nobody is inside.
        max_age: Seconds from its opening after which a session ends, however busy.
        unused_timeout: A shorter idle limit for opened sessions until their first block is entered.
        stall_timeout: Seconds that a held session may go without activity.
        linger: Seconds that a session stays after its last owner left; 0 ends it at once.
        max_sessions: How many sessions may be live at once; None for any number.
        when_full: What an opening does then: ``"evict"`` the session idle longest, ``"refuse"``, or ``"wait"``.
        open_timeout: Seconds that an opening waits for room.
        close_timeout: The budget, in seconds, of one session's whole clean-up.
        shutdown_timeout: Seconds within which leaving the supervisor ends every session.
        max_closing: How many clean-ups may run at once before openings and expiry wait for them.
        default: Whether the module functions and maps of this event loop use this supervisor.
        clock: A monotonic clock, in seconds. Default: `time.monotonic`, or the loop's own where its time is not real.
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
        self._max_sessions = _count("max_sessions", max_sessions)
        if when_full not in ("evict", "refuse", "wait"):
            raise ValueError(f"when_full must be 'evict', 'refuse' or 'wait', not {when_full!r}")
        if clock is not None and not callable(clock):
            raise TypeError(
                f"clock must be a function that returns seconds, such as time.monotonic, not {clock!r}"
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
            _count("max_closing", max_closing),
        )
        self._expiry = Expiry(self)
        self._context = Context()  # timers keep their context alive: a clean one pins nothing
        self._abandoned: dict[Task, None] = {}
        self._loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self._thread = 0
        self._code: CodeType | None = None
        self._lasti = 0
        self._shutdown: Shutdown | None = None

    __slots__ = (
        "__weakref__",
        "_abandoned",
        "_admission",
        "_clock",
        "_close_timeout",
        "_closing",
        "_code",
        "_context",
        "_counts",
        "_default",
        "_entered",
        "_expiry",
        "_given_clock",
        "_lasti",
        "_live",
        "_loop",
        "_max_age",
        "_max_sessions",
        "_number",
        "_observers",
        "_policy",
        "_running",
        "_shutdown",
        "_shutdown_ends",
        "_shutdown_timeout",
        "_thread",
        "_unused_timeout",
        "name",
    )

    __reduce_ex__ = refuse_copy("a Supervisor", "each process and each event loop has its own")

    # Its life

    async def __aenter__(self) -> Supervisor:
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
        max_age: Seconds | None | Unset = UNSET,
        stall_timeout: Seconds | None | Unset = UNSET,
    ) -> Block:
        """
        Return a block that is the session: when its last owner leaves, the session ends.

        It opens the session, or joins the one that is live; of one that is closing, it waits for the end and opens
        a new one. Leaving waits for the whole clean-up, through every cancellation. When the session ends while
        somebody is inside, the body is cancelled at its await and the block raises `SessionClosed`, unless the body
        asked for the end itself.

        Args:
            id: The id, by which others find it. None for a random one of 128 bits.
            linger: Seconds that the session stays after its last owner left.
            max_age: Seconds from its opening after which it ends; None for never. Settled by whoever opens.
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
                _named("stall_timeout", stall_timeout),
                _named("max_age", max_age),
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
        idle_timeout: Seconds | None | Unset = UNSET,
        max_age: Seconds | None | Unset = UNSET,
        stall_timeout: Seconds | None | Unset = UNSET,
    ) -> Block:
        """
        Return a block that uses a session spanning many requests: it pins the session while inside.

        When the last block is left, the session stays until its idle timeout, whatever the block raised. Leaving
        waits for nothing.

        Args:
            id: The session's id.
            create: Whether to open the session if there is none.
            idle_timeout: Seconds that it may go unused while nobody is inside; None for ever.
            max_age: Seconds from its opening after which it ends; None for never. Settled by whoever opens.
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
                _named("idle_timeout", idle_timeout),
                None,
                _named("stall_timeout", stall_timeout),
                _named("max_age", max_age),
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
        idle_timeout: Seconds | None | Unset = UNSET,
        max_age: Seconds | None | Unset = UNSET,
    ) -> Session:
        """
        Open a session that no block holds, or touch the one that is live, and return it.

        Args:
            id: The session's id.
            idle_timeout: Seconds that it may go unused; None for ever.
            max_age: Seconds from its opening after which it ends; None for never. Settled by whoever opens.

        Raises:
            SupervisorFull: If there is no room.
            SupervisorClosed: If the supervisor is not running.
            SessionClosed: If it ended while its `on_open` hooks ran.
        """
        settings = Settings(
            _named("idle_timeout", idle_timeout), None, None, _named("max_age", max_age)
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
            RuntimeError: In the clean-up, an owned task or a block of the session that is being closed.
        """
        while (session := self._closing.get(check_id(id))) is not None:
            self._check_loop()
            await self._admission.wait_settled(session)
        return self._live.get(id)

    @overload
    def get(self, id: str, default: None = None, /) -> Session | None: ...
    @overload
    def get(self, id: str, default: D, /) -> Session | D: ...
    def get(self, id: str, default: D | None = None, /) -> Session | D | None:
        """Return the live session with this id, or *default*. Never creates, never touches, never waits."""
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

        Cancelling the wait stops the waiting, not the clean-up. In a block, an owned task or the clean-up of the
        session itself it does not wait, as the session could not end.

        Returns:
            True if this call decided the end; False if no live session has this id. Of one that is closing it
            waits for the end, and answers False.

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
        Same as `close_soon`, but may be called from any thread. Once the supervisor was left, it does nothing.

        Raises:
            SupervisorClosed: If the supervisor was not entered yet.
        """
        check_id(id)
        if not self._entered:
            self._check_running()
        if self._running and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.close_soon, id)

    # Observers

    def on_open(self, hook: Callable[[Session], R]) -> Callable[[Session], R]:
        """
        Register a hook, ``hook(session)``, sync or async, to run before the body of a new session.

        An error ends the session as `failed`, and is raised from the opening. Usable as a decorator.
        """
        self._observers.add(self._observers.on_open, hook)
        self._admission.changed()
        return hook

    def on_close(
        self, hook: Callable[[Session, CloseReason], R]
    ) -> Callable[[Session, CloseReason], R]:
        """
        Register a hook, ``hook(session, reason)``, sync or async, to run once when a session ends.

        It runs once the holders are out and before anything is released. Usable as a decorator.
        """
        self._observers.add(self._observers.on_close, hook)
        return hook

    def on_error(
        self, hook: Callable[[Session, BaseException, str], R]
    ) -> Callable[[Session, BaseException, str], R]:
        """
        Register a hook, ``hook(session, exception, where)``, sync or async, to run for each clean-up error.

        Usable as a decorator.
        """
        self._observers.add(self._observers.on_error, hook)
        return hook

    def events(self, limit: int = 1024) -> EventStream:
        """
        Return a stream of what happens from here on: ``async for event in supervisor.events()``.

        Args:
            limit: How many unread events are kept; of more, the oldest are dropped, and counted.
        """
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise TypeError(f"limit must be a whole number of events, not {limit!r}")
        if limit < 1:
            raise ValueError(f"limit must be at least 1 event, not {limit}")
        return self._observers.stream(limit)

    # A mapping of the live sessions

    def __getitem__(self, id: str) -> Session:
        try:
            return self._live[id]
        except KeyError:
            raise SessionNotFound(id) from None

    def __contains__(self, id: object) -> bool:
        return id in self._live

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._live))

    def keys(self) -> KeysView[str]:
        """Return the live ids, as a snapshot."""
        return dict(self._live).keys()

    def values(self) -> ValuesView[Session]:
        """Return the live sessions, as a snapshot."""
        return dict(self._live).values()

    def items(self) -> ItemsView[str, Session]:
        """Return the live ids with their sessions, as a snapshot."""
        return dict(self._live).items()

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return object.__hash__(self)

    # What can be seen

    def statistics(self) -> Statistics:
        """Return figures about this moment. Costs a few microseconds for each tick in the deadline queues."""
        idle, held = len(self._expiry.idle), len(self._expiry.held)
        counts, live = self._counts, len(self._live)
        others = counts.by_reason
        return Statistics(
            live=live,
            held=live - idle,
            idle=idle,
            closing=len(self._closing),
            unbounded=live - idle - held,
            queued=idle + held,
            waiting=len(self._admission.waiting),
            opened=self._number,
            closed=self._number - live,
            closed_by_reason=MappingProxyType(
                {**others, CloseReason.COMPLETED: self._number - live - sum(others.values())}
            ),
            refused=counts.refused,
            clean_up_errors=counts.clean_up_errors,
            stuck=counts.stuck,
            abandoned=counts.abandoned,
            expiry_errors=counts.expiry_errors,
            restarts=counts.restarts,
            dropped_events=counts.dropped_events,
        )

    def dump(self) -> str:
        """
        Return one text that tells for each session why it is still there.

        Its age, its holders with task and line, its next deadline, what it owns, and where it was opened.
        """
        return dump(self)

    def __repr__(self) -> str:
        return describe_supervisor(self)

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

    def _log_errors(self, session: Session, ending: Ending) -> None:
        """Log the errors of a clean-up that nobody raises, unless hooks were told of them."""
        if ending.errors and not self._observers.on_error:
            logger.error(
                "nobody waited for this clean-up", exc_info=clean_up_errors(session, ending)
            )

    def _report(self, session: Session, error: BaseException, where: str) -> None:
        """Report an error outside of a session's end."""
        late, fatal = self._observers.error(session, error, where)
        if not self._observers.on_error:
            logger.error("%s of session %r failed", where, session.id, exc_info=error)
        for awaitable, name in late:
            context = self._context.copy()
            context.run(current.set, session)
            self._keep(asyncio.Task(_await(awaitable), loop=self._loop, name=name, context=context))
        if fatal is not None:
            raise fatal

    def _expiry_failed(self, session: Session, error: Exception) -> None:
        self._counts.expiry_errors += 1
        logger.error("ending session %r, which is due, failed", session.id, exc_info=error)

    def _keep(self, task: Task | None) -> None:
        """Keep a task that nobody waits for from being collected, until it is done."""
        if task is not None and not task.done():
            self._abandoned[task] = None
            task.add_done_callback(self._let_go)

    def _let_go(self, task: Task) -> None:
        del self._abandoned[task]
        if not task.cancelled():
            task.exception()

    def _check_running(self) -> None:
        if not self._running:
            state = "was left" if self._entered else "is not running"
            advice = (
                "it opens no more sessions"
                if self._entered
                else "write 'async with supervisor:' around its use"
            )
            raise SupervisorClosed(f"supervisor {self.name!r} {state}: {advice}")

    def _check_loop(self) -> None:
        if not self._entered:
            self._check_running()
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                f"supervisor {self.name!r} runs in another event loop: each loop needs its own; from another thread, "
                f"use supervisor.close_threadsafe(id) or asyncio.run_coroutine_threadsafe(...)"
            )

    def _check(self) -> None:
        """Raise AssertionError unless every internal invariant holds."""
        idle, held = self._expiry.idle, self._expiry.held
        idle._check()
        held._check()
        queued = {session: queue for queue in (idle, held) for session in queue}
        assert len(queued) == len(idle) + len(held), "a session is queued twice"
        for id, session in self._live.items():
            assert session.id == id
            assert session._end is None, f"{session!r} has ended and is still found"
            state = SessionState.OPEN if session._holders else SessionState.IDLE
            assert session.state is state, f"{session!r} should be {state}"
            if state is SessionState.IDLE:
                assert queued.pop(session) is idle, f"{session!r} is idle and not queued"
            elif session._limit < inf or session._max_age < inf:
                assert queued.pop(session) is held, f"{session!r} has a limit and is not queued"
        assert not queued, f"queued for nothing: {queued}"
        for id, session in self._closing.items():
            assert session.id == id
            assert session.state is SessionState.CLOSING
            assert session._ending is not None

    def __del__(self) -> None:
        if self._running and self._code is not None:
            warnings.warn(
                f"{self!r}, entered at {place(self._code, self._lasti)}, was dropped without being left",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )
            for session in [*self._live.values(), *self._closing.values()]:
                warnings.warn(
                    f"{session!r}, opened at {session.opened_where}, was dropped unclosed",
                    ResourceWarning,
                    source=session,
                    stacklevel=2,
                )


async def _await(awaitable: Any) -> None:
    await awaitable


def _named(name: str, value: Seconds | None | Unset) -> float | None:
    return None if isinstance(value, Unset) else limit(name, value)


def _count(name: str, value: int | None) -> float:
    if value is None:
        return inf
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, or None for no limit, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}: write {name}=None for no limit")
    return value


def check_id(id: object) -> str:
    """Refuse what is no id."""
    if not isinstance(id, str):
        raise TypeError(
            f"a session's id is a str, not {id!r} ({type(id).__name__}): pass str(...) or the session's .id"
        )
    if not id:
        raise ValueError(
            "a session's id is a non-empty str: leave it out of session() for a random one"
        )
    return id
