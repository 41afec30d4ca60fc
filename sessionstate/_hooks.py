"""The hooks of a supervisor, as decorators, and its stream of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ._events import EventStream, Observers
from ._reasons import CloseReason

if TYPE_CHECKING:
    from ._admission import Admission
    from ._session import Session

R = TypeVar("R")


class Hooks:
    """
    The half of `Supervisor` that tells others.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        _admission: Admission
        _observers: Observers

    def on_open(self, hook: Callable[[Session], R]) -> Callable[[Session], R]:
        """
        Register a hook, ``hook(session)``, sync or async, to run before the body of a new session.

        An error ends the session as `failed`, and is raised from the opening. Usable as a
        decorator.
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
        Register a hook, ``hook(session, exception, where)``, to run for each clean-up error.

        It may be sync or async. Usable as a decorator.
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
