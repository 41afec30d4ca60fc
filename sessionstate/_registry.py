"""
The live sessions of one supervisor: a mapping, its figures, and what the other modules ask of it.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from contextvars import Context
from types import CodeType, MappingProxyType
from typing import TYPE_CHECKING, NoReturn, SupportsIndex

from ._admission import Admission
from ._alarms import Bells, Tenancy, Tenant
from ._bounds import Bounds
from ._context import Task, copy_refused, current
from ._errors import SessionNotFound, SupervisorClosed
from ._events import Observers, logger
from ._expiry import Expiry
from ._hooks import Hooks
from ._invariants import check
from ._reasons import CloseReason
from ._report import describe_supervisor, dump
from ._session import Policy, Session
from ._shutdown import Shutdown
from ._statistics import Counts, Statistics
from ._teardown import Ending
from ._waiting import clean_up_errors

if TYPE_CHECKING:
    from ._leaks import Leak
    from ._memory import MemoryGuard
    from ._supervisor import Supervisor
    from ._survey import Surveyor
    from ._tracing import Tracer


class Live(dict[str, Session]):
    """The live sessions by id. A class of its own, because maps refer to it weakly."""

    __slots__ = ("__weakref__", "supervisor")

    supervisor: Callable[[], Supervisor | None]


class Registry(Hooks, Mapping[str, Session]):
    """
    The half of `Supervisor` that keeps the sessions.
    """

    __slots__ = (
        "__weakref__",
        "_abandoned",
        "_admission",
        "_bells",
        "_bounds",
        "_clock",
        "_close_timeout",
        "_closing",
        "_code",
        "_context",
        "_counts",
        "_default",
        "_entered",
        "_entered_at",
        "_expiry",
        "_given_clock",
        "_lasti",
        "_live",
        "_loop",
        "_max_age",
        "_max_sessions",
        "_memory_guard",
        "_number",
        "_observers",
        "_pid",
        "_policy",
        "_requests",
        "_running",
        "_sample_at",
        "_shutdown",
        "_shutdown_ends",
        "_shutdown_timeout",
        "_surveyor",
        "_tenancies",
        "_thread",
        "_tracer",
        "_unused_timeout",
        "name",
    )

    name: str
    """What it is called in tasks, messages and statistics."""

    _abandoned: dict[Task, None]
    _admission: Admission
    _bells: Bells
    _bounds: Bounds
    _clock: Callable[[], float]
    _close_timeout: float
    _closing: dict[str, Session]
    _code: CodeType | None
    _context: Context
    _counts: Counts
    _entered: bool
    _entered_at: float
    _expiry: Expiry
    _lasti: int
    _live: Live
    _loop: asyncio.AbstractEventLoop
    _max_age: float
    _max_sessions: float
    _memory_guard: MemoryGuard | None
    _number: int
    _observers: Observers
    _pid: int
    _policy: Policy
    _requests: int
    _running: bool
    _sample_at: int
    _shutdown: Shutdown | None
    _shutdown_ends: float
    _surveyor: Surveyor
    _tenancies: weakref.WeakSet[Tenancy]
    _thread: int
    _tracer: Tracer

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise copy_refused("a Supervisor", "each process and each event loop has its own")

    if not TYPE_CHECKING:  # pragma: no branch - type checkers find it by themselves

        def __enter__(self) -> NoReturn:
            raise TypeError("use 'async with Supervisor()', not 'with Supervisor()'")

        def __exit__(self, *exc: object) -> None:
            """Be here, so that ``with`` gets as far as the advice."""

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
        """
        Return the live ids, as a snapshot.
        """
        return dict(self._live).keys()

    def values(self) -> ValuesView[Session]:
        """
        Return the live sessions, as a snapshot.
        """
        return dict(self._live).values()

    def items(self) -> ItemsView[str, Session]:
        """
        Return the live ids with their sessions, as a snapshot.
        """
        return dict(self._live).items()

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return object.__hash__(self)

    # What can be seen

    def statistics(self) -> Statistics:
        """
        Return figures about this moment.

        Runtime complexity: O(t), where t is the number of ticks in the deadline queues.
        """
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
            waiting=len(self._admission.waiting) + len(self._admission.in_line),
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
            weight=self._bounds.weight.total,
        )

    def count_request(self, number: int = 1, /) -> None:
        """
        Count a request of the program: what grows is told per 1000 of them.

        It costs one addition, and may be called for whatever the program does again and again. It
        belongs to the loop's thread.

        Raises:
            ValueError: If *number* is negative: a count never goes back.
        """
        if number < 0:
            raise ValueError(f"a count of requests never goes back: {number} is negative")
        self._requests += number

    @property
    def requests(self) -> int:
        """
        How many requests were counted.
        """
        return self._requests

    def dump(self) -> str:
        """
        Return one text that tells for each session why it is still there.

        Its age, its holders with task and line, its next deadline, what it owns, and where it was
        opened.
        """
        return dump(self)

    def leaks(self) -> list[Leak]:
        """
        Return the sampled sessions that should be gone, or let go of, oldest first.

        Such a session is past its deadline; or held by a block whose task is done; or closing for
        longer than twice `close_timeout`; or it owns a container with an entry that is overdue.
        Nothing is sampled unless *leak_detection* says so.

        Runtime complexity: O(1): there are at most 1,024 records, 16,384 if every session has one.
        """
        return self._tracer.leaks()

    def __repr__(self) -> str:
        return describe_supervisor(self)

    # For the other modules

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

    def _house(self, tenant: Tenant) -> Tenancy:
        """Let a container expire promptly, and empty it when the supervisor is left."""
        self._check_loop()
        self._check_running()
        tenancy = Tenancy(self._bells, tenant)
        self._tenancies.add(tenancy)
        return tenancy

    def _left_error(self) -> SupervisorClosed:
        return SupervisorClosed(f"supervisor {self.name!r} was left: it keeps nothing any more")

    def _keep(self, task: Task) -> None:
        """Keep a task that nobody waits for from being collected, until it is done."""
        self._abandoned[task] = None
        task.add_done_callback(self._let_go)

    def _let_go(self, task: Task) -> None:
        del self._abandoned[task]
        _ = task.cancelled() or task.exception()  # so that nobody is told that it was not looked at

    def _check_running(self) -> None:
        if self._entered and not self._thread:
            raise self._inherited_error()
        if not self._running:
            state = "was left" if self._entered else "is not running"
            advice = (
                "it opens no more sessions"
                if self._entered
                else "write 'async with supervisor:' around its use"
            )
            raise SupervisorClosed(f"supervisor {self.name!r} {state}: {advice}")

    def _inherited_error(self) -> RuntimeError:
        return RuntimeError(
            f"supervisor {self.name!r} and its sessions belong to the parent process, from which "
            f"this one was forked: open a supervisor of its own here"
        )

    def _check_loop(self) -> None:
        if not self._thread:
            self._check_running()
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                f"supervisor {self.name!r} runs in another event loop: each loop needs its own; "
                f"from another thread, use supervisor.close_threadsafe(id) or "
                f"asyncio.run_coroutine_threadsafe(...)"
            )

    def _check(self) -> None:
        """Raise AssertionError unless every internal invariant holds."""
        check(self)


async def _await(awaitable: Awaitable[object]) -> None:
    await awaitable


def check_id(id: object) -> str:
    """Refuse what is no id."""
    if not isinstance(id, str):
        raise TypeError(
            f"a session's id is a str, not {id!r} ({type(id).__name__}): pass str(...) or the "
            f"session's .id"
        )
    if not id:
        raise ValueError(
            "a session's id is a non-empty str: leave it out of session() for a random one"
        )
    return id
