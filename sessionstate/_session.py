"""One life of one id: what it is, and when and how it ends."""

from __future__ import annotations

from math import inf
from threading import get_ident
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex

from ._clock import Seconds, seconds
from ._context import EMPTY, copy_refused, would_deadlock
from ._deadlines import DeadlineQueue, discard, grain_of
from ._errors import SessionClosed
from ._inventory import Resource, resources
from ._reasons import CloseReason, SessionState
from ._report import describe_session
from ._sites import place
from ._teardown import Ending, end
from ._ties import Tied
from ._waiting import WAITERS, settle, wait_plainly

if TYPE_CHECKING:
    from types import CodeType

    from ._supervisor import Supervisor

OPEN, IDLE = SessionState.OPEN, SessionState.IDLE
CLOSING, CLOSED = SessionState.CLOSING, SessionState.CLOSED


class Policy:
    """
    The limits that a later call may change, in seconds; shared by all sessions that have the same.
    """

    __slots__ = ("idle", "idle_grain", "linger", "linger_grain", "stall", "stall_grain")

    def __init__(self, idle: float, linger: float, stall: float) -> None:
        self.idle, self.idle_grain = idle, grain_of(idle)
        self.linger, self.linger_grain = linger, grain_of(linger)
        self.stall, self.stall_grain = stall, grain_of(stall)


class Session(Tied):
    """
    One life of one id: an `contextlib.AsyncExitStack` with a name, a deadline and a reason.

    Sessions are made by `Supervisor.session`, `Supervisor.attach` and `Supervisor.open`, not by
    hand. Their methods belong to the loop's thread, but for `touch` and plain attributes.

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
        "_lasti",
        "_left",
        "_limit",
        "_max_age",
        "_policy",
        "_supervisor",
        "id",
        "incarnation",
        "opened_at",
    )

    id: str
    """The id, by which others find the session while it is live."""
    incarnation: int
    """Which life this is: a number that grows, unique in its supervisor."""
    opened_at: float
    """When it was opened, in seconds of the supervisor's clock."""

    last_used: float
    _chunk: dict[Any, None] | None
    _left: tuple[CloseReason, BaseException | None] | None
    _end: tuple[CloseReason, float] | None
    _ending: Ending | None

    def __init__(
        self,
        supervisor: Supervisor,
        id: str,
        now: float,
        code: CodeType,
        lasti: int,
    ) -> None:
        self._supervisor = supervisor
        self._clock = supervisor._clock
        self.id = id
        supervisor._number = self.incarnation = number = supervisor._number + 1
        self.opened_at = self.last_used = now
        self._policy = supervisor._policy
        self._max_age = supervisor._max_age
        self._code = code
        self._lasti = lasti
        self._extended = 0.0
        self._entered = False
        self._slots = EMPTY
        self._holders = self._left = self._tasks = self._steps = None
        self._chunk = self._end = self._ending = self._ties = None
        if number == supervisor._sample_at:
            supervisor._tracer.sample(self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise copy_refused("a Session", "pass its id, and look it up with supervisor.get(id)")

    def __repr__(self) -> str:
        return describe_session(self)

    # What it is

    @property
    def state(self) -> SessionState:
        """
        Where it is in its life.
        """
        if self._end is not None:
            return CLOSED if self._ending is None else CLOSING
        return OPEN if self._holders else IDLE

    @property
    def supervisor(self) -> Supervisor:
        """
        The supervisor that owns it.
        """
        return self._supervisor

    @property
    def opened_where(self) -> str:
        """
        The place in the source that opened it, as ``file:line``.
        """
        return place(self._code, self._lasti)

    @property
    def deadline(self) -> float | None:
        """
        When it ends if nothing happens, in seconds of the supervisor's clock; None for never.

        None too when it has ended.
        """
        due = self._due()
        return None if due == inf or self._end is not None else due

    @property
    def expires_in(self) -> float | None:
        """
        Seconds until the deadline, 0 if it has passed; None for never, or when it has ended.
        """
        deadline = self.deadline
        return None if deadline is None else max(0.0, deadline - self._clock())

    @property
    def close_reason(self) -> CloseReason | None:
        """
        Why it ended; None while it is live.
        """
        return None if self._end is None else self._end[0]

    @property
    def exception(self) -> BaseException | None:
        """
        What the last owner's block raised, or the crash that ended it, until it is closed.
        """
        if self._ending is not None:
            return self._ending.error
        return None if self._left is None else self._left[1]

    def resources(self) -> list[Resource]:
        """
        Return what it owns and keeps at this moment; nothing when it is closed.

        Tasks, then what is to be cleaned up, then the values of maps and variables, each in the
        order of their coming.

        Runtime complexity: O(n).
        """
        return resources(self)

    # Its deadline

    def touch(self) -> None:
        """
        Restart the idle, linger or stall clock, whichever runs.

        It costs one attribute write: the deadline queue learns of it when the old deadline comes
        up. It may be called from any thread. After the end it does nothing.
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
        if self._ties is not None and self._holders and self._limit < inf:
            self.last_used = self._ties.latest_use(self)
        due = self.last_used + self._limit
        # Without max() and min(): they are calls, and this runs at every wake-up.
        if due < self._extended:  # noqa: PLR1730
            due = self._extended
        age = self.opened_at + self._max_age
        return age if age < due else due  # noqa: FURB136

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

    def _enqueue(self, queue: DeadlineQueue[Session], grain: float) -> None:
        """Queue it for its deadline; *grain* is that of its limit."""
        due = self.last_used + self._limit
        if due < self._extended or self._max_age < inf:
            due = self._due()
            grain = min(grain, grain_of(self._max_age))
        tick = queue.add(self, due, grain)
        if tick < self._supervisor._expiry.armed:
            self._supervisor._expiry.arm(tick)

    def _leave_queue(self) -> None:
        discard(self)

    def _go_idle(self) -> None:
        """Nobody is inside: let the clock run that fits."""
        if self._chunk is not None:
            self._leave_queue()
        policy = self._policy
        expiry = self._supervisor._expiry
        if self._left is not None:
            limit, grain = policy.linger, policy.linger_grain
        elif self._entered:
            limit, grain = policy.idle, policy.idle_grain
        else:
            limit = min(policy.idle, self._supervisor._unused_timeout)
            grain = grain_of(limit)
        self._limit = limit
        due = self.last_used + limit
        if due < self._extended or self._max_age < inf:
            self._enqueue(expiry.idle, grain)
        elif (tick := expiry.idle.add(self, due, grain)) < expiry.armed:
            expiry.arm(tick)

    def _go_open(self) -> None:
        """Somebody is inside: only `stall_timeout` and `max_age` limit that."""
        policy = self._policy
        self._limit = policy.stall
        if policy.stall < inf or self._max_age < inf:
            self._enqueue(self._supervisor._expiry.held, policy.stall_grain)

    # Its end

    def close_soon(self, reason: CloseReason = CloseReason.COMPLETED) -> bool:
        """
        Same as `aclose`, but does not wait.

        Returns:
            True if this call decided the end; False if the session had ended before.
        """
        self._check_thread()
        return end(self, check_reason(reason), asked=True) is not None

    async def aclose(self, reason: CloseReason = CloseReason.COMPLETED) -> bool:
        """
        End the session and wait for its clean-up.

        A holder that calls this is cancelled at its next await, and its block swallows exactly
        that; other holders get `SessionClosed`. A holder, an owned task and the clean-up itself do
        not wait here: the session could not end. Cancelling the wait stops the waiting, not the
        clean-up.

        Returns:
            True if this call decided the end; False if the session had ended before.

        Raises:
            ExceptionGroup: The errors of the clean-up, if this call decided the end.
        """
        self._check_thread()
        ending = end(self, check_reason(reason), claim=True, asked=True)
        await settle(self, ending)
        return ending is not None

    async def wait_closed(self) -> CloseReason:
        """
        Wait until the session is closed, and return why. Cancelling the wait changes nothing.

        Raises:
            RuntimeError: If the session cannot end before the caller goes on: in its own block,
                owned task or clean-up, or in the clean-up of a session that one of its holders
                waits for.
        """
        self._check_thread()
        if not self._closed() and would_deadlock(self):
            raise RuntimeError(
                f"wait_closed() of session {self.id!r} would never return: the session cannot end "
                f"before the code that waits here does; call it from outside of its blocks, owned "
                f"tasks and clean-up"
            )
        await wait_plainly(self)
        assert self._end is not None
        return self._end[0]

    def _fail(self, error: BaseException | None) -> None:
        """End the session because something that it owns crashed."""
        end(self, CloseReason.RESOURCE_FAILED, error)

    def _hurry(self) -> None:
        """Begin what is left of the clean-up without waiting for any of it."""
        assert self._ending is not None
        self._ending.hurry()

    def _closed(self) -> bool:
        return self._end is not None and self._ending is None

    def _drop(self) -> None:
        """Let go of everything, in one step."""
        self._ending = self._steps = self._tasks = self._holders = self._left = None
        if self._slots is not EMPTY:
            waiters, self._slots = self._slots.get(WAITERS, ()), EMPTY
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        ties, self._ties = self._ties, None
        if ties is not None:
            ties.closed(self)

    def _closed_error(self) -> SessionClosed:
        if not self._supervisor._thread:
            raise self._supervisor._inherited_error()
        if self._ending is not None:
            return self._ending.closed_error(self)
        assert self._end is not None
        return SessionClosed(self, self._end[0])

    def _ended_ago(self) -> float:
        return 0.0 if self._end is None else self._clock() - self._end[1]

    def _check_open(self) -> None:
        self._check_thread()
        if self._end is not None:
            raise self._closed_error()

    def _check_not_closed(self) -> None:
        if get_ident() != self._supervisor._thread:
            self._check_thread()
        if self._end is not None and self._ending is None:
            raise self._closed_error()

    def _check_thread(self) -> None:
        if get_ident() != self._supervisor._thread:
            if not self._supervisor._thread:
                raise self._supervisor._inherited_error()
            raise RuntimeError(
                f"session {self.id!r} belongs to another thread: use "
                f"loop.call_soon_threadsafe(...), or supervisor.close_threadsafe({self.id!r}) to "
                f"end it"
            )


def check_reason(reason: CloseReason) -> CloseReason:
    """Refuse what is no reason."""
    if not isinstance(reason, CloseReason):
        raise TypeError(f"reason must be a CloseReason such as CloseReason.DELETED, not {reason!r}")
    return reason
