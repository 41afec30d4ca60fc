"""A value that is loaded once for a session, shared by all who wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ._context import describe, loading
from ._errors import SessionClosed
from ._resources import cancelled_outside, retrieved
from ._tasks import OwnedTask

if TYPE_CHECKING:
    from ._session import Session

T = TypeVar("T")

_LOADED: Final = "loaded"


class Load(OwnedTask):
    """A load under way. Its failure is its waiters', and not the session's."""

    __slots__ = ("key", "needs", "waiters")

    def __init__(
        self, session: Session, key: Hashable, factory: Callable[[], Awaitable[Any]]
    ) -> None:
        super().__init__(session, factory)
        self.key = key
        self.waiters: dict[asyncio.Future[Any], None] = {}
        self.needs: dict[Load, int] = {}
        """The loads that this one waits for."""

    def waits_for(self, other: Load) -> bool:
        """Tell whether this load cannot end before *other* does."""
        seen: dict[Load, None] = {}
        ahead: list[Load] = [self]
        while ahead:
            load = ahead.pop()
            if load is other:
                return True
            if load not in seen:
                seen[load] = None
                ahead.extend(load.needs)
        return False

    async def run(self, session: Session, factory: Callable[[], Awaitable[Any]]) -> None:
        """Load, and hand the value to the session and all waiters at once."""
        loading.set(self)
        awaitable = factory()
        if not isinstance(awaitable, Awaitable):
            raise TypeError(
                f"get_or_create() needs an async factory, but {describe(factory)} returned "
                f"{awaitable!r}"
            )
        value = await awaitable
        loaded = session._slot(_LOADED, dict)
        if loaded.get(self.key) is self:
            loaded[self.key] = value
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(value)

    def _settle(
        self,
        session: Session,
        error: BaseException | None,
        *,
        cancelled: bool,  # noqa: ARG002 - as of every owned task
    ) -> None:
        """Tell the waiters; nothing is left for the session to hear."""
        loaded = session._slots.get(_LOADED, {})
        if loaded.get(self.key) is self:
            del loaded[self.key]
        for waiter in self.waiters:
            if waiter.done():
                continue
            if session._end is not None:
                waiter.set_exception(SessionClosed(session, session._end[0]))
            elif error is not None:
                waiter.set_exception(error)
            else:
                waiter.set_exception(cancelled_outside(self.where))
        self.waiters.clear()


async def load(session: Session, key: Hashable, factory: Callable[[], Awaitable[T]]) -> T:
    """Return the value of *key* in *session*, joining a load that is under way."""
    loaded = session._slot(_LOADED, dict)
    found: Any = loaded.get(key, loaded)
    if found is loaded:
        found = loaded[key] = Load(session, key, factory)
        found.begin(found.run(session, factory), f"{session.id}: load {key!r}")
        found = loaded.get(key, found)  # an eager load may be over before its creation returns
    if not isinstance(found, Load):
        value: T = found
        return value
    joined: T = await _join(session, found)
    return joined


async def _join(session: Session, found: Load) -> Any:  # noqa: ANN401 - whatever was loaded
    asking = loading.get()
    if asking is not None and found.waits_for(asking):
        raise RuntimeError(
            f"get_or_create({found.key!r}) of session {session.id!r} would wait for itself: its "
            f"factory needs, directly or through other factories, the value that it makes"
        )
    waiter = session._supervisor._loop.create_future()
    found.waiters[waiter] = None
    if asking is not None:
        asking.needs[found] = asking.needs.get(found, 0) + 1
    try:
        return await waiter
    finally:
        found.waiters.pop(waiter, None)
        retrieved(waiter)
        del waiter  # the traceback of its error leads here
        if asking is not None:
            asking.needs[found] -= 1
            if not asking.needs[found]:
                del asking.needs[found]
        if not found.waiters and found._session is not None:
            _give_up(session, found)


def _give_up(session: Session, found: Load) -> None:
    """Cancel a load that nobody waits for; who asks next begins another."""
    loaded = session._slots.get(_LOADED, {})
    if loaded.get(found.key) is found:
        del loaded[found.key]
        found.cancel()
