"""
Who comes in: the ways into a session that are not the ordinary one, and room for one more.

Deciding and creating happen in one go, without an await between, so concurrent openings cannot
overshoot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Any, Literal, cast

from ._context import current, holds, running_task, would_deadlock
from ._context import opening as opening_here
from ._errors import SessionNotFound, SupervisorFull
from ._holders import Block, Opener, Settings, Visitor
from ._reasons import CloseReason
from ._session import Policy, Session
from ._tasks import OwnedTask
from ._teardown import end
from ._waiting import wait_plainly

if TYPE_CHECKING:
    from ._supervisor import Supervisor

WhenFull = Literal["evict", "refuse", "wait"]


class Admission:
    """The door of one supervisor."""

    def __init__(
        self,
        supervisor: Supervisor,
        room: float,
        when_full: WhenFull,
        patience: float,
        max_closing: float,
    ) -> None:
        self.slow = True
        """Whether somebody who comes in has more to do than to look whether there is room."""
        self.room = room
        """
        How many may be live, less those promised to waiters that were let in and did not run yet.
        """
        self.waiting: dict[asyncio.Future[bool], None] = {}
        self._supervisor = supervisor
        self._when_full = when_full
        self._patience = patience
        self.max_closing = max_closing
        self._breathers: dict[asyncio.Future[bool], None] = {}
        self._same: dict[str | None, dict[asyncio.Future[bool], None]] = {}  # waiters by id
        self.opening: dict[Session, asyncio.Future[None]] = {}

    def changed(self) -> None:
        """Take note that a session ended, that one is closed, or that a hook was added."""
        supervisor = self._supervisor
        while self.waiting and len(supervisor._live) < self.room:
            waiter = next(iter(self.waiting))
            del self.waiting[waiter]
            if not waiter.done():
                self.room -= 1
                waiter.set_result(True)
        crowded = self._crowded()
        if not crowded:
            self._tell(self._breathers)
            self._breathers.clear()
        self.slow = bool(
            crowded
            or self.waiting
            or self.opening
            or supervisor._observers.on_open
            or not supervisor._running
        )

    def _crowded(self) -> bool:
        return len(self._supervisor._closing) >= self.max_closing

    async def breathe(self) -> None:
        """Wait while too many clean-ups run."""
        while self._crowded():
            await self._wait_in(self._breathers, inf)

    def session_ended(self) -> None:
        """Take note that a session ended, if anybody waits for that or too many are closing."""
        if self.slow or self._crowded():
            self.changed()

    async def open(self, opener: Opener) -> Session:
        """Open a session, or touch the one there is."""
        session = await opener.__aenter__()
        session._entered = opener.was_entered
        current.reset(opener.token)
        if opener.let_go(session):
            session._go_idle()
        return session

    async def find(self, block: Block) -> Session:  # noqa: C901, PLR0912 - one decision, in one piece
        """Find the session of *block*, or make it, by whatever that takes."""
        supervisor, id, settings = self._supervisor, block._id, block._settings
        promised = False
        try:
            while True:
                supervisor._check_running()
                session = supervisor._live.get(id)
                now = supervisor._clock()
                if session is not None:
                    opening = self.opening.get(session)
                    if opening is not None:
                        await self._wait_for_opening(session, opening)
                    elif session._due() <= now:
                        end(session, *session._due_reason())
                    else:
                        apply(session, settings)
                        break
                elif not (block.creates or isinstance(block, Opener)):
                    raise SessionNotFound(id)
                elif id in supervisor._closing:
                    await self.wait_settled(supervisor._closing[id])
                elif self._crowded():
                    await self._wait_in(self._breathers, self._patience)
                elif promised or self._has_room():
                    session = supervisor._create(block, now)
                    self._tell(self._same.get(id, ()))
                    if supervisor._observers.on_open:
                        self.opening[session] = supervisor._loop.create_future()
                        self.slow = True
                    break
                elif not self._make_room():
                    promised = await self._wait_for_room(id)
        finally:
            if promised:
                self.room += 1
                self.changed()
        if isinstance(block, Opener):
            block.was_entered = session._entered
        return session

    async def wait_settled(self, session: Session) -> None:
        """Wait for the old incarnation to end: never two lives of one id at once."""
        if would_deadlock(session):
            raise RuntimeError(
                f"session {session.id!r} is closing and cannot end before the code that runs "
                f"here does: it is its own clean-up, task or block; open it again from elsewhere, "
                f"or use another id"
            )
        await wait_plainly(session)

    # The hooks

    async def run_hooks(self, block: Block, session: Session) -> None:
        """Run the on_open hooks before the body; their error ends the session and is raised."""
        opening = self.opening.get(session)
        if opening is None:
            return
        error: BaseException | None = None
        token = opening_here.set(session)
        try:
            for hook in list(self._supervisor._observers.on_open):
                result = hook(session)
                if isinstance(result, Awaitable):
                    await result
                if session._end is not None:
                    raise session._closed_error()  # noqa: TRY301 - as an error of the hook
        except BaseException as raised:
            error = raised
        opening_here.reset(token)
        del self.opening[session]
        opening.set_result(None)
        self.changed()
        if error is None:
            return
        block.let_go(session)
        ending = None
        if session._end is None:
            cancelled = isinstance(error, asyncio.CancelledError)
            reason = CloseReason.CANCELLED if cancelled else CloseReason.FAILED
            ending = end(session, reason, error, claim=True)
        try:
            if await block._leave(session, ending, error):  # a hook asked for the end itself
                raise session._closed_error()
            raise error
        finally:
            current.reset(block.token)
            del error, ending  # their tracebacks lead here: no cycles

    @staticmethod
    async def _wait_for_opening(session: Session, opening: asyncio.Future[None]) -> None:
        if opening_here.get() is session or holds(running_task(), session):
            raise RuntimeError(
                f"session {session.id!r} is being opened by this task: an on_open hook gets "
                f"the session as its argument, and cannot enter a block of it"
            )
        await asyncio.shield(opening)

    def adopt(self, id: str, visitor: Visitor) -> Session:
        """Open a session that nobody holds, for a write, without waiting."""
        supervisor = self._supervisor
        while True:
            supervisor._check_running()
            if id in supervisor._closing:
                raise supervisor._closing[id]._closed_error()
            if id in supervisor._live:  # the clean-up of one that made room opened it
                return supervisor._live[id]
            if self._has_room():
                break
            if not self._make_room():
                raise self._full("and a write cannot wait")
        session = supervisor._create(visitor, supervisor._clock())
        self._tell(self._same.get(id, ()))
        session._entered = True  # it knows no unused_timeout
        session._go_idle()
        token = current.set(session)
        try:
            for hook in list(supervisor._observers.on_open):
                result = hook(session)
                if isinstance(result, Awaitable):
                    coro = (
                        cast("Coroutine[Any, Any, object]", result)
                        if isinstance(result, Coroutine)
                        else _await(cast("Awaitable[object]", result))
                    )
                    OwnedTask(session, hook).begin(coro, f"{id}: on_open hook")
                if session._end is not None:
                    raise session._closed_error()  # noqa: TRY301 - as an error of the hook
        except BaseException as error:
            end(session, CloseReason.FAILED, error)
            raise
        finally:
            current.reset(token)
        return session

    # Room

    def _has_room(self) -> bool:
        return not self.waiting and len(self._supervisor._live) < self.room

    def _make_room(self) -> bool:
        """Free a place; tell whether one was freed. Raise if none will be."""
        expiry = self._supervisor._expiry
        if expiry.end_one_due():
            return True
        if self._when_full == "wait":
            return False
        if self._when_full == "refuse":
            raise self._full("and it refuses (when_full='refuse')")
        longest = expiry.idle_longest()
        if longest is None:
            raise self._full("each of them is held, and a held session is never evicted")
        end(longest, CloseReason.EVICTED)
        return True

    def _full(self, why: str) -> SupervisorFull:
        supervisor = self._supervisor
        supervisor._counts.refused += 1
        return SupervisorFull(
            f"supervisor {supervisor.name!r} has {len(supervisor._live)} live sessions of at most "
            f"{supervisor._max_sessions:g}, {why}; raise max_sessions, or give sessions an "
            f"idle_timeout, a stall_timeout or a max_age"
        )

    async def _wait_for_room(self, id: str) -> bool:
        """
        Wait until one more is promised room, first come, first served; tell whether it was.

        It was not if *id* is live by now, or the supervisor was left.
        """
        try:
            return await self._wait_in(self.waiting, self._patience, id)
        finally:
            self.changed()

    async def _wait_in(
        self, queue: dict[asyncio.Future[bool], None], patience: float, id: str | None = None
    ) -> bool:
        """Wait in *queue* for one's turn, at most so many seconds."""
        supervisor = self._supervisor
        waiter: asyncio.Future[bool] = supervisor._loop.create_future()
        queue[waiter] = None
        same = self._same.setdefault(id, {})
        same[waiter] = None
        self.slow = True
        timer = None
        if patience < inf:
            timer = supervisor._loop.call_later(
                patience, _give_up, waiter, context=supervisor._context
            )
        try:
            return await waiter
        except TimeoutError:
            raise self._full(f"and had no room within open_timeout={patience:g}") from None
        except BaseException:
            told = waiter.done() and not waiter.cancelled() and waiter.exception() is None
            if told and waiter.result():
                self.room += 1  # promised, and cancelled before it ran: the next one may
            raise
        finally:
            if timer is not None:
                timer.cancel()
            queue.pop(waiter, None)
            same.pop(waiter, None)
            if not same and self._same.get(id) is same:
                del self._same[id]

    def _tell(self, waiters: Iterable[asyncio.Future[bool]]) -> None:
        """Let *waiters* look again, without a promise."""
        for waiter in list(waiters):
            self.waiting.pop(waiter, None)
            if not waiter.done():
                waiter.set_result(False)

    def close(self) -> None:
        """Let those who wait know that nobody comes in any more."""
        self._tell(self.waiting)
        self._tell(self._breathers)
        self.changed()


def number(name: str, value: int | None) -> float:
    """Validate how many there may be and return it: infinite for None, which means no limit."""
    if value is None:
        return inf
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, or None for no limit, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}: write {name}=None for no limit")
    return value


def apply(session: Session, settings: Settings) -> None:
    """Let a later call change what it names; `max_age` is settled by whoever opened."""
    age = settings.max_age
    if age is not None and age != session._max_age:
        raise ValueError(
            f"session {session.id!r} was opened with max_age={_shown(session._max_age)}, which "
            f"cannot become {_shown(age)}: leave max_age out, or repeat what it was opened with"
        )
    policy = merged(session._policy, settings)
    if policy is session._policy:
        return
    session._policy = policy
    session._leave_queue()
    if session._holders:
        session._go_open()
    else:
        session._go_idle()


def merged(policy: Policy, settings: Settings) -> Policy:
    """Return *policy* with what *settings* names."""
    idle, linger, stall, _ = settings
    if idle is linger is stall is None:
        return policy
    return _policy(
        policy.idle if idle is None else idle,
        policy.linger if linger is None else linger,
        policy.stall if stall is None else stall,
    )


_policy = lru_cache(maxsize=256)(Policy)
"""Makes one policy for equal limits: the sessions of one call share it."""


def _shown(limit: float) -> str:
    return "None" if limit == inf else f"{limit:g}"


def _give_up(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


async def _await(awaitable: Awaitable[object]) -> None:
    await awaitable
