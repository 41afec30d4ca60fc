"""Hooks, and the stream of events for those who only watch."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final, TypeVar, cast

from ._context import current
from ._reasons import CloseReason

if TYPE_CHECKING:
    from ._session import Session
    from ._statistics import Counts

logger = logging.getLogger("sessionstate")

OpenHook = Callable[["Session"], object]
CloseHook = Callable[["Session", CloseReason], object]
ErrorHook = Callable[["Session", BaseException, str], object]
H = TypeVar("H", bound=Callable[..., object])


@dataclass(frozen=True)
class SessionEvent:
    """
    Something that happened to a session.

    .. versionadded:: 0.1
    """

    id: str
    """The session's id."""
    incarnation: int
    """Which life of that id."""
    at: float
    """When, in seconds of the supervisor's clock."""


@dataclass(frozen=True)
class SessionOpened(SessionEvent):
    """
    A session was opened.

    .. versionadded:: 0.1
    """

    took: float = field(default=0.0, compare=False)
    """Seconds that the opening waited: for room, or for the end of the id's last life."""


@dataclass(frozen=True)
class SessionClosing(SessionEvent):
    """
    The end of a session is decided; its clean-up begins.

    .. versionadded:: 0.1
    """

    reason: CloseReason
    """Why it ends."""
    late: float | None = field(default=None, compare=False)
    """Seconds by which its deadline had passed; None if that was still to come."""


@dataclass(frozen=True)
class SessionEnded(SessionEvent):
    """
    A session is closed, and everything that it owned released.

    .. versionadded:: 0.1
    """

    reason: CloseReason
    """Why it ended."""
    lifetime: float
    """Seconds from its opening to the decision that it ends."""
    clean_up_errors: int
    """How many of its clean-up steps failed."""
    took: float = field(default=0.0, compare=False)
    """Seconds from the decision that it ends to this moment."""


@dataclass(frozen=True)
class CleanUpFailed(SessionEvent):
    """
    A step of a session's clean-up failed; the others ran.

    .. versionadded:: 0.1
    """

    where: str
    """Which step."""
    error: BaseException
    """What it raised."""


@dataclass(frozen=True)
class CleanUpStep(SessionEvent):
    """
    A step of a session's clean-up is over. Only observers are told, see `Supervisor.observe`.

    .. versionadded:: 0.1
    """

    where: str
    """Which step: a hook, a callback, a context, or all owned tasks together."""
    took: float
    """Seconds that it took, up to *at*."""
    error: BaseException | None
    """What it raised, or a `TimeoutError` if it was cut short."""


class Observation:
    """
    What `Supervisor.observe` returns; `cancel` ends it.

    .. versionadded:: 0.1
    """

    __slots__ = ("_observers", "_tell")

    def __init__(self, observers: Observers, tell: Callable[[SessionEvent], object]) -> None:
        self._observers: Observers | None = observers
        self._tell = tell

    def cancel(self) -> bool:
        """
        Tell the observer nothing any more.

        Returns:
            True if it was still being told; False if this was cancelled before.
        """
        observers, self._observers = self._observers, None
        return observers is not None and observers.dismiss(self)


class EventStream:
    """
    A bounded stream of events: ``async for event in supervisor.events()``.

    It begins with the call. When its reader is slower than the events, the oldest unread are
    dropped and counted. It ends when its supervisor was left. Cancelling the wait for an event
    loses none.

    .. versionadded:: 0.1
    """

    def __init__(self, observers: Observers, limit: int) -> None:
        self._observers: Observers | None = observers
        self._unread: deque[SessionEvent] = deque()
        self._limit = limit
        self._reader: asyncio.Future[None] | None = None
        self.dropped: int = 0
        """Events lost because they were not read in time."""

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> SessionEvent:
        while not self._unread:
            if self._observers is None:
                raise StopAsyncIteration
            if self._reader is not None:
                raise RuntimeError(
                    "this stream is being read by another task: call supervisor.events() once for "
                    "each reader"
                )
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._unread.popleft()

    async def aclose(self) -> None:
        """
        Stop listening. What is unread may still be read.
        """
        if self._observers is not None:
            self._observers.forget(self)
            self._end()

    def _push(self, event: SessionEvent, counts: Counts) -> None:
        if len(self._unread) == self._limit:
            self._unread.popleft()
            self.dropped += 1
            counts.dropped_events += 1
        self._unread.append(event)
        self._wake()

    def _end(self) -> None:
        self._observers = None
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


class Observers:
    """Those who are told what happens to the sessions of one supervisor."""

    def __init__(self, counts: Counts) -> None:
        self.active: bool = False
        self._ended = False
        self.on_open: list[OpenHook] = []
        self.on_close: list[CloseHook] = []
        self.on_error: list[ErrorHook] = []
        self._counts = counts
        # Weak, so that a stream that its reader has dropped does not fill for ever.
        self._streams: dict[int, weakref.ref[EventStream]] = {}
        self.observations: dict[Observation, None] = {}

    def add(self, hooks: list[H], hook: H) -> None:
        """Register *hook*."""
        if not callable(hook):
            raise TypeError(f"a hook must be a function, not {hook!r}")
        hooks.append(hook)
        self.active = True

    def stream(self, limit: int) -> EventStream:
        """Return a new stream."""
        stream = EventStream(self, limit)
        if self._ended:
            stream._end()
            return stream
        key = id(stream)
        self._streams[key] = weakref.ref(stream, lambda _: self._drop(key))
        self.active = True
        return stream

    def _listening(self) -> list[EventStream]:
        return [stream for ref in self._streams.values() if (stream := ref()) is not None]

    def forget(self, stream: EventStream) -> None:
        """Stop telling *stream*."""
        self._drop(id(stream))

    def _drop(self, key: int) -> None:
        self._streams.pop(key, None)
        self._look()

    def observe(self, tell: Callable[[SessionEvent], object]) -> Observation:
        """Tell a new observer."""
        if not callable(tell):
            raise TypeError(f"an observer must be a function of an event, not {tell!r}")
        observation = Observation(self, tell)
        self.observations[observation] = None
        self.active = True
        return observation

    def dismiss(self, observation: Observation) -> bool:
        """Tell an observer nothing any more, if it was being told."""
        found = observation in self.observations
        self.observations.pop(observation, None)
        self._look()
        return found

    def _look(self) -> None:
        """Find whether anybody is left who is told: if not, sessions pay nothing for it."""
        hooks = self.on_open or self.on_close or self.on_error
        self.active = bool(hooks or self._streams or self.observations)

    def end(self) -> None:
        """End every stream: nothing more will happen."""
        self._ended = True
        for stream in self._listening():
            stream._end()
        self._streams.clear()
        self.observations.clear()

    def _tell(self, event: SessionEvent) -> None:
        for stream in self._listening():
            stream._push(event, self._counts)
        self._tell_observers(event)

    def _tell_observers(self, event: SessionEvent) -> None:
        for observation in list(self.observations):
            if observation not in self.observations:  # another one has just cancelled it
                continue
            try:
                observation._tell(event)
            except (KeyboardInterrupt, SystemExit) as error:
                raise_later(error)
            except BaseException:
                logger.exception("an observer failed while it was told of %r", event)

    def opened(self, session: Session, took: float) -> None:
        """Tell that *session* was opened; raise if an observer ended it at once."""
        if self._streams or self.observations:
            session._limit = inf  # nothing runs yet, and an observer may look at its deadline
            self._tell(SessionOpened(session.id, session.incarnation, session.opened_at, took))
            if session._end is not None:
                raise session._closed_error()

    def closing(self, session: Session) -> None:
        """Tell that the end of *session* is decided."""
        if (self._streams or self.observations) and session._end is not None:
            reason, at = session._end
            late = at - session._due()
            self._tell(
                SessionClosing(
                    session.id, session.incarnation, at, reason, None if late < 0 else late
                )
            )

    def ended(self, session: Session, errors: int) -> None:
        """Tell that *session* is closed."""
        if (self._streams or self.observations) and session._end is not None:
            reason, at = session._end
            lifetime, now = at - session.opened_at, session._clock()
            self._tell(
                SessionEnded(
                    session.id, session.incarnation, now, reason, lifetime, errors, now - at
                )
            )

    def step_over(
        self, session: Session, where: str, began: float, error: BaseException | None
    ) -> None:
        """Tell that a step of the clean-up is over."""
        now = session._clock()
        self._tell_observers(
            CleanUpStep(session.id, session.incarnation, now, where, now - began, error)
        )

    def close_calls(
        self, session: Session, reason: CloseReason
    ) -> list[Callable[[], object]] | None:
        """Return what is to be called before anything of *session* is released."""
        return [partial(hook, session, reason) for hook in self.on_close] if self.on_close else None

    def error(
        self, session: Session, error: BaseException, where: str
    ) -> tuple[list[tuple[Awaitable[object], str]], BaseException | None]:
        """
        Tell of an error, once; return what is to be awaited, and what is to be raised at last.
        """
        self._counts.clean_up_errors += 1
        if self._streams or self.observations:
            self._tell(
                CleanUpFailed(session.id, session.incarnation, session._clock(), where, error)
            )
        late: list[tuple[Awaitable[object], str]] = []
        fatal: BaseException | None = None
        token = current.set(session)
        try:
            for hook in self.on_error:
                try:
                    result = hook(session, error, where)
                except (KeyboardInterrupt, SystemExit) as raised:
                    fatal = fatal or raised
                except BaseException:
                    logger.exception(HOOK_FAILED, error, where)
                else:
                    if isinstance(result, Awaitable):
                        awaitable = cast("Awaitable[object]", result)
                        late.append((_guarded(awaitable, error, where), ON_ERROR))
        finally:
            current.reset(token)
        return late, fatal


ON_ERROR: Final = "on_error hook"
HOOK_FAILED: Final = "an on_error hook failed while it was told of %r in %s"


def raise_later(error: BaseException) -> None:
    """Raise *error* out of the loop: here, it would leave the end of a session half-way."""
    try:
        asyncio.get_running_loop().call_soon(_raise, error)
    except RuntimeError:  # the loop is over, and so is the process, soon
        logger.critical("an observer was interrupted", exc_info=error)


def _raise(error: BaseException) -> None:
    raise error


async def _guarded(hook: Awaitable[object], error: BaseException, where: str) -> None:
    """Await an on_error hook, whose own error must not be reported to itself."""
    try:
        await hook
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        logger.exception(HOOK_FAILED, error, where)
