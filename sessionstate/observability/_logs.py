"""What happens to sessions, as log lines for whoever has to do something about it."""

from __future__ import annotations

import asyncio
import logging
import weakref
from typing import TYPE_CHECKING, Final

from sessionstate import CleanUpFailed, CloseReason, SessionEnded, SessionEvent, SessionOpened
from sessionstate._clock import Seconds, seconds
from sessionstate._redaction import Redact, redaction, without_ids

from ._attachment import Attachment
from ._lines import LIBRARY, Lines, counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate import Supervisor, Surveying
    from sessionstate._alarms import Tenancy
    from sessionstate._context import Task

NOTABLE: Final = frozenset(
    {
        CloseReason.FAILED,
        CloseReason.STALLED,
        CloseReason.EVICTED,
        CloseReason.SHED,
        CloseReason.RESOURCE_FAILED,
    }
)
"""Ends that somebody should hear of."""
BURST: Final = 20
"""Lines of one kind between two looks; what is more is counted."""


def log_events(
    supervisor: Supervisor,
    *,
    level: int = logging.WARNING,
    redact: Redact | None = None,
    logger: logging.Logger | None = None,
    verbose: bool = False,
    slow: Seconds = 1.0,
    every: Seconds = 10.0,
) -> Attachment:
    """
    Write a log line for each event that is worth a human's time.

    That is: a session that failed, stalled, was evicted or shed, or lost a resource; a clean-up
    that failed, or was slow; openings that were refused; sessions that should be gone. After 20
    lines of one kind within *every* seconds the others are counted, and told in one line.

    Each record has attributes beside its text: ``event``, ``supervisor``, and where they apply
    ``session_id``, ``incarnation``, ``reason``, ``lifetime``, ``took``, ``clean_up_errors``,
    ``where``, ``error_type``, ``count``. Seconds are numbers.

    Args:
        supervisor: Whose events.
        level: The level of these lines.
        redact: What is shown of an id: ``"short"``, the default, its first 8 characters;
            ``"hash"``, a hash that is the same in all of this process; ``"none"``, all of it; or a
            function of the id, such as `hashed(key)`.
        logger: Where they go. Default: the logger ``sessionstate``.
        verbose: Whether every other opening and end is a line too, at INFO; else at DEBUG.
        slow: Seconds from which a clean-up is slow.
        every: Seconds between two looks for refusals and for sessions that should be gone; so often
            all sessions are counted, see `Supervisor.keep_surveying`.

    Returns:
        A handle with ``cancel()``.

    .. versionadded:: 0.1
    """
    log = logging.getLogger(LIBRARY) if logger is None else logger
    lines = Lines(log, redaction(redact), BURST)
    watch = EventLog(
        supervisor,
        lines,
        level,
        verbose=verbose,
        slow=seconds("slow", slow),
        every=seconds("every", every),
    )
    return Attachment(supervisor.observe(watch.tell).cancel, watch.close)


class EventLog:
    """An observer that writes lines. It looks by itself for what no event tells."""

    __slots__ = (
        "__weakref__",
        "_every",
        "_level",
        "_lines",
        "_name",
        "_ordinary",
        "_orphans",
        "_over",
        "_refused",
        "_slow",
        "_supervisor",
        "_surveying",
        "_tenancy",
        "_timer",
    )

    def __init__(
        self,
        supervisor: Supervisor,
        lines: Lines,
        level: int,
        *,
        verbose: bool,
        slow: float,
        every: float,
    ) -> None:
        self._supervisor = weakref.ref(supervisor)
        self._name = supervisor.name
        self._lines = lines
        self._level = level
        self._ordinary = logging.INFO if verbose else logging.DEBUG
        self._slow = slow
        self._every = every
        self._refused = supervisor._counts.refused
        self._orphans = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tenancy: Tenancy | None = None
        self._surveying: Surveying | None = None
        self._over = False
        if supervisor._running:
            supervisor._loop.call_soon_threadsafe(self._arm, context=supervisor._context)

    def tell(self, event: SessionEvent) -> None:
        """Write what is worth it of *event*."""
        if isinstance(event, SessionEnded):
            self._ended(event)
        elif isinstance(event, CleanUpFailed):
            self._failed(event)
        elif isinstance(event, SessionOpened) and self._lines.wants(self._ordinary):
            self._write(self._ordinary, "opened", "was opened", event, took=event.took)
        if self._timer is None:
            self._arm()

    def close(self) -> None:
        """Tell what was held back, and look no more."""
        self._look()
        self._over = True
        self._tenancy = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._surveying is not None:
            self._surveying.cancel()

    # Of the supervisor's end it hears as its containers do

    def _overdue(self) -> None:
        """Never be called: it has asked for nothing."""

    def _vacate(self, ended: Callable[[], Exception]) -> list[Task]:  # noqa: ARG002 - the protocol
        self.close()
        return []

    # What happens to a session

    def _ended(self, event: SessionEnded) -> None:
        troubles: list[str] = []
        if event.took >= self._slow:
            troubles.append(f"its clean-up took {event.took:.1f} s")
        if event.clean_up_errors:
            troubles.append(counted(event.clean_up_errors, "clean-up error"))
        notable = event.reason in NOTABLE or bool(troubles)
        level = self._level if notable else self._ordinary
        kind = f"ended as {event.reason}"
        if self._lines.wants(level) and (not notable or self._lines.take(kind)):
            text = "; ".join([f"ended after {event.lifetime:.1f} s: {event.reason}", *troubles])
            self._write(
                level,
                "ended",
                text,
                event,
                reason=str(event.reason),
                lifetime=event.lifetime,
                took=event.took,
                clean_up_errors=event.clean_up_errors,
            )

    def _failed(self, event: CleanUpFailed) -> None:
        if self._lines.wants(self._level) and self._lines.take("had a clean-up that failed"):
            where = without_ids(event.where, self._lines.shown, event.id)
            kind = type(event.error).__qualname__
            text = f"had a clean-up that failed: {where} raised {kind}"
            error = event.error
            self._write(
                self._level, "clean-up failed", text, event, error, where=where, error_type=kind
            )

    def _write(
        self,
        level: int,
        what: str,
        text: str,
        event: SessionEvent,
        error: BaseException | None = None,
        **facts: object,
    ) -> None:
        shown = self._lines.shown(event.id)
        about = {
            "event": what,
            "supervisor": self._name,
            "session_id": shown,
            "incarnation": event.incarnation,
        }
        self._lines.write(level, f"session {shown!r} {text}", about | facts, error, event.id)

    # What happens to all of them

    def _arm(self) -> None:
        supervisor = self._supervisor()
        if self._over or self._timer is not None:
            return
        if supervisor is not None and supervisor._running:
            if self._tenancy is None:
                self._tenancy = supervisor._house(self)
                self._surveying = supervisor.keep_surveying(self._every)
            self._timer = supervisor._loop.call_later(
                self._every, self._tick, context=supervisor._context
            )

    def _tick(self) -> None:
        self._timer = None
        self._look()
        self._arm()

    def _look(self) -> None:
        """Tell what was held back, what was refused, and what should be gone."""
        for kind, count in self._lines.more().items():
            self._tell_all("more", f"{counted(count, 'more session')} {kind}", count)
        supervisor = self._supervisor()
        if supervisor is None or self._over:
            return
        refused = supervisor._counts.refused - self._refused
        if refused:
            self._refused += refused
            openings = counted(refused, "opening")
            self._tell_all("refused", f"no room: {openings} refused", refused)
        survey = supervisor.survey
        orphans = 0 if survey is None else survey.orphans
        if orphans > self._orphans:
            self._tell_all("orphans", f"{counted(orphans, 'session')} should be gone", orphans)
        self._orphans = orphans

    def _tell_all(self, what: str, text: str, count: int) -> None:
        facts: dict[str, object] = {"event": what, "supervisor": self._name, "count": count}
        self._lines.write(self._level, f"supervisor {self._name!r}: {text}", facts)
