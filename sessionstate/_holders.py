"""
The blocks inside which a session is held: ``async with session(id)`` and ``async with attach(id)``.

Two classes share one way in. Their ways out differ: the last owner's is the end of the session, a visitor's
is not. The ordinary ways in and out are written in one piece, for speed; all else is in `_leave`.
"""

from __future__ import annotations

import asyncio
from asyncio import get_running_loop
from contextvars import Token
from math import inf
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

import anyio
import anyio.lowlevel

from ._context import current, current_task, would_deadlock
from ._reasons import CloseReason, SessionState
from ._session import Session, place
from ._teardown import Ending, end, vanish
from ._waiting import raise_errors, wait_through

if TYPE_CHECKING:
    from ._supervisor import Supervisor


class Settings(NamedTuple):
    """What a call named of a session's limits; None for what it did not."""

    idle: float | None = None
    linger: float | None = None
    stall: float | None = None
    max_age: float | None = None


NOTHING_NAMED = Settings()


class Block:
    """A block that holds a session while somebody is inside; good for one ``async with``."""

    __slots__ = (
        "_cancelling",
        "_code",
        "_creates",
        "_id",
        "_lasti",
        "_session",
        "_settings",
        "_supervisor",
        "_token",
        "_used",
        "asked",
        "sent",
        "task",
    )

    owner = False

    def __init__(
        self,
        supervisor: Supervisor,
        id: str,
        settings: Settings,
        code: CodeType,
        lasti: int,
        creates: bool = True,
    ) -> None:
        self._supervisor = supervisor
        self._id = id
        self._settings = settings
        self._code = code
        self._lasti = lasti
        self._creates = creates
        self._used = False
        self._session: Session | None = None

    def _opened_at(self, frame: FrameType) -> Self:
        """Take *frame* for the place that wrote this block."""
        self._code, self._lasti = frame.f_code, frame.f_lasti
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._id!r}, {self.where}>"

    @property
    def where(self) -> str:
        """Who is inside, for people."""
        task = self.task
        name = "no task" if task is None else task.get_name()
        return f"{type(self).__name__.lower()} in {name} at {place(self._code, self._lasti)}"

    @property
    def runs(self) -> bool:
        """Whether the task that entered is still there to leave."""
        return self.task is not None and not self.task.done()

    def interrupt(self) -> None:
        """Cancel the task inside; its block takes that back."""
        if self.task is not None:
            self.sent += 1
            self.task.cancel()

    async def __aenter__(self) -> Session:
        supervisor = self._supervisor
        if self._used:
            raise RuntimeError(
                f"this block of session {self._id!r} was entered before: call session() or attach() once for "
                f"each 'async with'"
            )
        self._used = True
        if get_running_loop() is not supervisor._loop:
            supervisor._check_loop()
        now = supervisor._clock()
        session = supervisor._live.get(self._id)
        admission = supervisor._admission
        if session is None:
            if (
                admission.slow
                or len(supervisor._live) >= admission.room
                or self._id in supervisor._closing
                or not self._creates
            ):
                return await admission.enter(self)
            session = supervisor._create(self._id, now, self._settings, self._code, self._lasti)
        elif admission.slow or session._due() <= now or self._settings is not NOTHING_NAMED:
            return await admission.enter(self)
        self._hold(session, now)
        return session

    def _hold(self, session: Session, now: float) -> None:
        """Hold *session* from here on."""
        self._session = session
        self.task = task = current_task()
        self._cancelling = task.cancelling() if task is not None else 0
        self.sent = 0
        self.asked = False
        self._token: Token[Session] | None = current.set(session)
        if self.owner:
            session._owners += 1
            session._left = None
        session.last_used = now
        session._entered = True
        holders = session._holders
        if holders is None:
            session._holders = {self: None}
            session._go_open()
        else:
            holders[self] = None

    def _holding(self) -> Session:
        session = self._session
        if session is None:
            raise RuntimeError(f"this block of session {self._id!r} was not entered, or was left before")
        return session

    def _let_go(self, session: Session) -> bool:
        """Hold *session* no longer; tell whether nobody does."""
        token, self._token = self._token, None
        if token is not None:
            try:
                current.reset(token)
            except ValueError:  # left by another task than entered it
                pass
        self._session = None
        holders = session._holders
        if holders is None or self not in holders:
            return False
        del holders[self]
        if self.owner:
            session._owners -= 1
        if holders:
            return False
        session._holders = None
        return True

    async def __aexit__(
        self, cls: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        raise NotImplementedError

    async def _leave(
        self, session: Session, ending: Ending | None, error: BaseException | None
    ) -> bool | None:
        """
        Leave the block of a session that ends: wait if it is an owner's, and settle who sees what.

        *ending* is what this block decided, and claimed; None if the end was decided elsewhere.
        """
        task = self.task
        around = ending or session._ending
        if around is not None and around.session is not None:
            around.block_left(self)
            if self.owner and self.asked and ending is None:
                ending = around
                ending.claimed = True
        interruption: asyncio.CancelledError | None = None
        if (
            self.owner
            and session._state is not SessionState.CLOSED
            and not isinstance(error, GeneratorExit)
            and not would_deadlock(session)
        ):
            interruption = await wait_through(session)
        if ending is not None and ending.session is not None:
            ending.disclaim(session)
            ending = None
        if task is not None:
            for _ in range(self.sent):
                task.uncancel()
        if ending is not None and ending.fatal is not None:
            raise ending.fatal
        if interruption is not None:
            if ending is not None:
                ending.disclaim(session)
            if error is not None and interruption is not error:
                interruption.__context__ = error
            raise interruption
        if self._interrupted(error):
            if anyio.current_effective_deadline() == -inf:
                await anyio.lowlevel.checkpoint()  # the scope around is cancelled too: let it say so
            if not self.asked:
                closed = around.closed_error(session) if around is not None else session._closed_error()
                raise closed from closed.__cause__
            if ending is not None:
                raise_errors(session, ending)
            return True
        if ending is not None:
            if error is None:
                raise_errors(session, ending)
            else:
                for each in ending.errors:
                    error.add_note(f"error in the clean-up of session {session.id!r}: {each!r}")
        return None

    def _interrupted(self, error: BaseException | None) -> bool:
        """Tell whether *error* is what this block was sent, and nothing around it wants the task cancelled."""
        task = self.task
        return (
            self.sent > 0
            and isinstance(error, asyncio.CancelledError)
            and task is not None
            and task is current_task()
            and task.cancelling() <= self._cancelling
        )


class Owner(Block):
    """A block that is the session: when the last owner leaves, the session ends, or lingers."""

    __slots__ = ()

    owner = True

    async def __aexit__(
        self, cls: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        session = self._holding()
        last = self._let_go(session)
        if session._end is not None:
            return await self._leave(session, None, error)
        if session._owners:
            return None
        if error is None:
            reason = CloseReason.COMPLETED
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            reason = CloseReason.CANCELLED
        else:
            reason = CloseReason.FAILED
        if session._policy.linger:
            session._left = (reason, error)
            if last:
                session.last_used = session._clock()
                session._go_idle()
            return None
        if last and not (session._steps or session._tasks or self._supervisor._observers.active):
            vanish(session, reason)
            return None
        ending = end(session, reason, error, claim=True)
        assert ending is not None
        if ending.session is None and not ending.errors and ending.fatal is None:
            return None
        return await self._leave(session, ending, error)


class Visitor(Block):
    """A block that uses a session spanning many requests: when it is left, the session stays."""

    __slots__ = ()

    async def __aexit__(
        self, cls: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        session = self._holding()
        last = self._let_go(session)
        if session._end is not None:
            return await self._leave(session, None, error)
        if last:
            session.last_used = session._clock()
            session._go_idle()
        return None
