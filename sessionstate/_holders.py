"""
The blocks inside which a session is held: ``async with session(id)`` and ``async with attach(id)``.

Both kinds share one way in; the last owner's way out is the end of the session, a visitor's is not.
The ordinary ways are written in one piece, because they are all that most sessions ever cost; what
is not ordinary is in `Admission.find` and in `Block._leave`.
"""

from __future__ import annotations

import asyncio
from contextvars import Token
from math import inf
from threading import get_ident
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, Self

import anyio
import anyio.lowlevel

from ._bounds import Wanted
from ._context import Task, current, current_task, would_deadlock
from ._holds import Holder
from ._reasons import CloseReason
from ._session import Session
from ._sites import place
from ._teardown import NOTHING_LEFT, Ending, end
from ._waiting import raise_errors, wait_through

if TYPE_CHECKING:
    from ._admission import Admission
    from ._supervisor import Supervisor

COMPLETED, CANCELLED, FAILED = CloseReason.COMPLETED, CloseReason.CANCELLED, CloseReason.FAILED
USED: Final[Any] = object()  # stands for the session before it is found and after it was left


class Settings(NamedTuple):
    """
    What a call named of a session's limits, in seconds, and of its ties; None for what it did not.
    """

    idle: float | None = None
    linger: float | None = None
    stall: float | None = None
    max_age: float | None = None
    wanted: Wanted | None = None


NOTHING_NAMED: Final = Settings()


class Block(Holder):
    """
    A block that holds a session while somebody is inside; good for one ``async with``.
    """

    __slots__ = (
        "_cancelling",
        "_code",
        "_lasti",
        "_session",
        "_settings",
        "_supervisor",
        "token",
    )

    ordinary = True
    """Whether it may take the ordinary way in, if nothing else stands against that."""
    strict = False
    """Whether it opens no session where there is none."""

    task: Task | None
    token: Token[Session]
    """What makes the session around the current one again."""

    def __init__(
        self, supervisor: Supervisor, id: str, settings: Settings, code: CodeType, lasti: int
    ) -> None:
        self._supervisor = supervisor
        self._id = id
        self._settings = settings
        self._code = code
        self._lasti = lasti
        self._session: Session | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._id!r}, {place(self._code, self._lasti)}>"

    def opened_at(self, frame: FrameType) -> Self:
        """Take *frame* for the place that wrote this block."""
        self._code, self._lasti = frame.f_code, frame.f_lasti
        return self

    @property
    def where(self) -> str:
        """Who is inside, for people."""
        kind = "owner" if self.owner else "visitor"
        name = "no task" if self.task is None else self.task.get_name()
        return f"{kind} in {name} at {place(self._code, self._lasti)}"

    if not TYPE_CHECKING:  # pragma: no branch - type checkers find it by themselves

        def __enter__(self) -> NoReturn:
            raise TypeError(
                "use 'async with session(...)', not 'with session(...)'; so for attach()"
            )

        def __exit__(self, *exc: object) -> None:
            """Be here, so that ``with`` gets as far as the advice."""

    async def __aenter__(self) -> Session:
        supervisor = self._supervisor
        self.task = task = current_task(supervisor._loop)
        if task is None or self._session is not None or get_ident() != supervisor._thread:
            self._check_enter()
        now = supervisor._clock()
        live = supervisor._live
        session = live.get(self._id)
        admission = supervisor._admission
        if session is None:
            if (
                admission.slow
                or len(live) >= admission.room
                or self._id in supervisor._closing
                or not self.ordinary
            ):
                session = await self._find(admission)
                now = supervisor._clock()
            else:
                session = Session(supervisor, self._id, now, self._code, self._lasti)
                live[self._id] = session
                if self._settings is not NOTHING_NAMED or supervisor._observers.active:
                    supervisor._opened(session, self._settings)
        elif (
            admission.slow
            or self._settings is not NOTHING_NAMED
            or (
                (session.last_used + session._limit <= now or session._max_age < inf)
                and session._due() <= now
            )
        ):
            session = await self._find(admission)
            now = supervisor._clock()
        # From here on without an await: found or made, it is held at once.
        self._session = session
        self._cancelling = 0 if task is None else task.cancelling()
        self.sent = 0
        self.token = current.set(session)
        session.last_used = now
        session._entered = True
        if self.owner:
            session._left = None
        if session._holders is None:
            session._holders = {self: None}
            chunk = session._chunk
            if chunk is not None:
                del chunk[session]
                if not chunk:
                    chunk.clear()  # an emptied dict keeps its table
                session._chunk = None
            session._limit = limit = session._policy.stall
            if limit < inf or session._max_age < inf:
                session._go_open()
            if session._ties is not None:
                session._ties.held(session)
        else:
            session._holders[self] = None
        if admission.slow and admission.opening:
            await admission.run_hooks(self, session)
        return session

    async def _find(self, admission: Admission) -> Session:
        self._session = USED  # it is being entered: nobody else may
        return await admission.find(self)

    def _check_enter(self) -> None:
        if self._session is not None:
            raise RuntimeError(
                f"this block of session {self._id!r} was entered before: call session() or "
                f"attach() once for each 'async with'"
            )
        self._supervisor._check_loop()

    async def __aexit__(
        self,
        cls: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        session = self._session
        if session is None or session is USED:
            raise RuntimeError(f"this block of session {self._id!r} is not entered, or was left")
        self._session = USED
        holders = session._holders
        last = False
        if holders is not None:
            holders.pop(self, None)
            if not holders:
                session._holders = None
                last = True
                if session._ties is not None:
                    session._ties.released(session)
        # The clean-up runs in here, and still sees the session as the current one.
        try:
            if session._end is not None:
                return await self._leave(session, None, error)
            if not self.owner:
                if last:
                    session.last_used = session._clock()
                    session._go_idle()
                return None
            if not last and any(block.owner for block in session._holders or ()):
                return None
            if error is None:
                reason = COMPLETED
            elif isinstance(error, asyncio.CancelledError | GeneratorExit):
                reason = CANCELLED
            else:
                reason = FAILED
            if session._policy.linger:
                session._left = (reason, error)
                if last:
                    session.last_used = session._clock()
                    session._go_idle()
                return None
            ending = end(session, reason, error, True)
            if ending is NOTHING_LEFT:
                return None
            return await self._leave(session, ending, error)
        finally:
            try:
                current.reset(self.token)
            except ValueError:  # left by another task than entered it
                pass

    def let_go(self, session: Session) -> None:
        """Hold *session* no longer."""
        self._session = USED
        session._unhold(self)

    async def _leave(
        self, session: Session, ending: Ending | None, error: BaseException | None
    ) -> bool | None:
        """
        Leave the block of a session that ends: wait if it is an owner's, and settle who sees what.

        *ending* is what this block decided, and claimed; None if the end was decided elsewhere.
        """
        if self.task is not None:
            for _ in range(self.sent):
                self.task.uncancel()
        around = ending or session._ending
        asked = around is not None and self.task is not None and around.asking is self.task
        # What this block decided began when it was left: it was not counted among those inside.
        if ending is None and around is not None and around.session is not None:
            around.block_left(self)
            if self.owner and asked:
                ending = around
                ending.claimed = True
        interruption: BaseException | None = None
        try:
            if (
                self.owner
                and not session._closed()
                and not isinstance(error, GeneratorExit)
                and not would_deadlock(session)
            ):
                interruption = await wait_through(session)
            if ending is not None and ending.session is not None:
                ending.disclaim(session)
                ending = None
            if ending is not None and ending.fatal is not None:
                raise ending.fatal
            if interruption is not None and self._wanted_elsewhere():
                if ending is not None:
                    ending.disclaim(session)
                if error is not None and interruption is not error:
                    interruption.__context__ = error
                raise interruption
            if self._was_interrupted_by(error):
                if anyio.current_effective_deadline() == -inf:
                    await anyio.lowlevel.checkpoint()  # a scope around is cancelled: let it say so
                if not asked:
                    raise (
                        session._closed_error() if around is None else around.closed_error(session)
                    )
                if ending is not None:
                    raise_errors(session, ending)
                return True
            if ending is not None:
                if error is None:
                    raise_errors(session, ending)
                else:
                    for each in ending.errors:
                        error.add_note(f"error in the clean-up of session {session.id!r}: {each!r}")
                    if isinstance(error, asyncio.CancelledError):  # which nobody is shown
                        ending.disclaim(session)
            return None
        finally:
            del error, interruption, around, ending  # tracebacks lead here: no cycles

    def _wanted_elsewhere(self) -> bool:
        """Tell whether somebody else wants the task cancelled, beside this block's session."""
        task = self.task
        if task is None or task is not current_task(self._supervisor._loop):
            return True  # another task leaves than entered: what reaches it is not this block's
        return task.cancelling() > self._cancelling

    def _was_interrupted_by(self, error: BaseException | None) -> bool:
        """Tell whether *error* is what this block was sent, and nobody else wants an end too."""
        return (
            isinstance(error, asyncio.CancelledError)
            and self.sent > 0
            and not self._wanted_elsewhere()
        )


class Owner(Block):
    """
    A block that is the session: when the last owner leaves, the session ends, or lingers.
    """

    __slots__ = ()

    owner = True


class Visitor(Block):
    """
    A block that uses a session spanning many requests: when it is left, the session stays.
    """

    __slots__ = ()


class Opener(Visitor):
    """
    Holds a session while it is opened, so that it cannot be evicted while its hooks run.

    It never takes the ordinary way in, on which a session counts as entered.
    """

    __slots__ = ("was_entered",)

    ordinary = False
    was_entered: bool
    """Whether somebody had entered the session before."""


class StrictVisitor(Visitor):
    """
    A visitor that does not open a session where there is none.
    """

    __slots__ = ()

    ordinary = False
    strict = True


class TiedOwner(Owner):
    """
    An owner of a session with a parent, a group or a weight, for which there must be room.
    """

    __slots__ = ()

    ordinary = False


class TiedVisitor(Visitor):
    """
    A visitor of a session with a parent, a group or a weight, for which there must be room.
    """

    __slots__ = ()

    ordinary = False
