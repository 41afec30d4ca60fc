"""Who comes in: the ways into a session that are not the ordinary one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from functools import lru_cache
from math import inf
from typing import Any, cast

from ._context import current, holds, running_task, would_deadlock
from ._context import opening as opening_here
from ._errors import SessionNotFound
from ._holders import Block, Opener, Settings, Visitor
from ._reasons import CloseReason
from ._room import Place, Room
from ._session import Policy, Session
from ._tasks import OwnedTask
from ._teardown import end
from ._ties import retie
from ._waiting import wait_plainly


class Admission(Room):
    """The door of one supervisor."""

    async def open(self, opener: Opener) -> Session:
        """Open a session, or touch the one there is."""
        session = await opener.__aenter__()
        session._entered = opener.was_entered
        current.reset(opener.token)
        opener.let_go(session)
        return session

    async def find(self, block: Block) -> Session:  # noqa: C901, PLR0912 - one decision
        """Find the session of *block*, or make it, by whatever that takes."""
        supervisor, id = self._supervisor, block._id
        began = supervisor._clock()
        with Place(self, block) as place:
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
                        apply(session, block._settings)
                        if session._end is None:  # else what made room for its weight ended it
                            break
                elif block.strict:
                    raise SessionNotFound(id)
                elif id in supervisor._closing:
                    await self.wait_settled(supervisor._closing[id])
                elif self._crowded():
                    await place.breathe()
                elif place.found():
                    session = supervisor._create(block, now, began)
                    self._tell(self._same.get(id, ()))
                    if supervisor._observers.on_open:
                        self.opening[session] = supervisor._loop.create_future()
                        self.slow = True
                    break
                else:
                    await place.seek()
        if isinstance(block, Opener):
            block.was_entered = session._entered
        return session

    async def wait_settled(self, session: Session) -> None:
        """Wait for the old incarnation to end: never two lives of one id at once."""
        again = False
        while would_deadlock(session):
            ending = session._ending
            if again or ending is None or ending.asking is running_task():
                raise RuntimeError(
                    f"session {session.id!r} is closing and cannot end before the code that runs "
                    f"here does: it is its own clean-up, task or block; open it again from "
                    f"elsewhere, or use another id"
                )
            again = True
            await asyncio.sleep(0)  # who holds what somebody else ended hears of that end instead
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
            if self.has_room():
                break
            if not self.make_room():
                raise self._full("and a write cannot wait")
        now = supervisor._clock()
        session = supervisor._create(visitor, now, now)
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


def apply(session: Session, settings: Settings) -> None:
    """Let a later call change what it names; `max_age` is settled by whoever opened."""
    age = settings.max_age
    if age is not None and age != session._max_age:
        raise ValueError(
            f"session {session.id!r} was opened with max_age={_shown(session._max_age)}, which "
            f"cannot become {_shown(age)}: leave max_age out, or repeat what it was opened with"
        )
    if settings.wanted is not None:
        retie(session, settings.wanted)
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
    idle, linger, stall, _, _ = settings
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


async def _await(awaitable: Awaitable[object]) -> None:
    await awaitable
