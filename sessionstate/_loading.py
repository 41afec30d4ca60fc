"""A value that is loaded once for a session, shared by all who wait for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ._errors import SessionClosed
from ._flight import Flight
from ._resources import cancelled_outside
from ._tasks import OwnedTask

if TYPE_CHECKING:
    from ._session import Session

T = TypeVar("T")

LOADED: Final = "loaded"


class Load(OwnedTask, Flight):
    """A load under way. Its failure is its waiters', and not the session's."""

    __slots__ = ("key", "needs", "waiters")

    def __init__(
        self, session: Session, key: Hashable, factory: Callable[[], Awaitable[Any]]
    ) -> None:
        super().__init__(session, factory)
        self.key = key
        self.needs = {}
        self.waiters = {}

    async def run(self, session: Session, factory: Callable[[], Awaitable[Any]]) -> None:
        """Load, and hand the value to the session and all waiters at once."""
        value = await self.make(factory)
        loaded = session._slot(LOADED, dict)
        if loaded.get(self.key) is self:
            loaded[self.key] = value
        self.land(value)

    def _settle(
        self,
        session: Session,
        error: BaseException | None,
        *,
        cancelled: bool,  # noqa: ARG002 - as of every owned task
    ) -> None:
        """Tell the waiters; nothing is left for the session to hear."""
        loaded = session._slots.get(LOADED, {})
        if loaded.get(self.key) is self:
            del loaded[self.key]
        if session._end is not None:
            reason = session._end[0]
            self.fail(lambda: SessionClosed(session, reason))
        elif error is not None:
            self.fail(lambda: error)
        else:
            self.fail(lambda: cancelled_outside(self.where))

    def give_up(self) -> None:
        session = self._session
        if session is None:
            return
        loaded = session._slots.get(LOADED, {})
        if loaded.get(self.key) is self:
            del loaded[self.key]
            self.cancel()


async def load(session: Session, key: Hashable, factory: Callable[[], Awaitable[T]]) -> T:
    """Return the value of *key* in *session*, joining a load that is under way."""
    loaded = session._slot(LOADED, dict)
    found: Any = loaded.get(key, loaded)
    if found is loaded:
        found = loaded[key] = Load(session, key, factory)
        found.begin(found.run(session, factory), f"{session.id}: load {key!r}")
        found = loaded.get(key, found)  # an eager load may be over before its creation returns
    if not isinstance(found, Load):
        value: T = found
        return value
    joined: T = await found.join(session._supervisor._loop, f"session {session.id!r}")
    return joined
