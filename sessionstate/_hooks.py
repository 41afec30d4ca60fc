"""The hooks of a supervisor, as decorators, and its stream of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ._clock import Seconds
from ._events import EventStream, Observation, Observers, SessionEvent
from ._production import ProductionReport, report
from ._reasons import CloseReason

if TYPE_CHECKING:
    from ._admission import Admission
    from ._session import Session
    from ._survey import Survey, Surveying, Surveyor

R = TypeVar("R")


class Hooks:
    """
    The half of `Supervisor` that tells others.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        _admission: Admission
        _observers: Observers
        _surveyor: Surveyor

        def _check_loop(self) -> None: ...
        def _check_running(self) -> None: ...

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

    def observe(self, observer: Callable[[SessionEvent], object], /) -> Observation:
        """
        Call ``observer(event)`` for each event, at once: for metrics and traces.

        Unlike a stream it loses none, and is told of each `CleanUpStep` too. It is called where the
        event happens, so that the context variables of who opens a session are there; it must not
        wait. What it raises is logged. Sessions are opened and closed more slowly while there is an
        observer, a stream or a hook.

        Returns:
            A handle with ``cancel()``.
        """
        return self._observers.observe(observer)

    def keep_surveying(self, every: Seconds = 10.0) -> Surveying:
        """
        Count again and again what all sessions keep and own: for metrics, pages and reports.

        The count is made in slices of half a millisecond, with rests between. Of 100,000 sessions
        it takes some seconds. The first begins at once.

        Args:
            every: Seconds from the beginning of one count to that of the next, or a timedelta.

        Returns:
            A handle with ``cancel()``. Leaving the supervisor ends it too.

        Raises:
            SupervisorClosed: If the supervisor is not running.
        """
        self._check_loop()
        self._check_running()
        return self._surveyor.want(every)

    @property
    def survey(self) -> Survey | None:
        """
        What was counted last; None until that was done once. May be read in any thread.
        """
        return self._surveyor.last

    def leak_report(self) -> ProductionReport:
        """
        Return what grows with each 1000 requests: by map, resource and site, with verdicts.

        It rests on the surveys made so far, and sees to it that they go on, every ten seconds: the
        first call in a program that did not ask for any before has little to tell.

        Runtime complexity: O(n m²), for n names and m samples, of which at most 200 and 40 are
        looked at: half a millisecond a name.
        """
        return report(self._surveyor)

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
