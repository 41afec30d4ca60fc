"""
Moments at which something is called: timers of sessions, and containers with something to expire.

They wait in a deadline queue as sessions do, but in one of their own, so that a timer rings on time
while a million sessions expire, or while expiry waits for clean-ups to end.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from ._context import Task
from ._deadlines import DeadlineQueue, discard, grain_of
from ._events import logger
from ._expiry import SLICE, delay_until

if TYPE_CHECKING:
    from ._resources import Callback
    from ._supervisor import Supervisor


class Bells:
    """The alarms of one supervisor, and the timer of its loop that rings them."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.queue: DeadlineQueue[Alarm] = DeadlineQueue()
        self._supervisor = supervisor
        self._armed = inf
        self._handle: asyncio.Handle | None = None
        self._chunk: dict[Alarm, None] | None = None
        self._due: list[Alarm] = []
        """Those of the chunk, the next one last."""

    @property
    def clock(self) -> Callable[[], float]:
        """
        The clock of the alarms, in seconds.
        """
        return self._supervisor._clock

    def arm(self, tick: float) -> None:
        """Ring at *tick* what is due then, if nothing is set to ring before."""
        if tick < self._armed:
            self.stop()
            self._armed = tick
            supervisor = self._supervisor
            self._handle = supervisor._loop.call_later(
                delay_until(tick, supervisor._clock()), self._ring, context=supervisor._context
            )

    def stop(self) -> None:
        """Ring nothing, until something is set again."""
        self._armed = inf
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        """Ring what is due, for a slice of time: what is then set for this moment comes next."""
        self._armed = -inf
        supervisor = self._supervisor
        clock = supervisor._expiry.work_clock
        until = clock() + SLICE
        try:
            if not self._due:
                self._chunk = self.queue.due(supervisor._clock())
                self._due = sorted(self._chunk or (), key=_due)
                self._due.reverse()
            while self._due:
                alarm = self._due.pop()
                if alarm._chunk is self._chunk:
                    alarm.clear()
                    self._ring_one(alarm)
                if clock() >= until:
                    break
        finally:
            self.stop()
            if self._due or self.queue.next_tick() <= supervisor._clock():
                self._armed = -inf
                self._handle = supervisor._loop.call_soon(self._ring, context=supervisor._context)
            else:
                self.arm(self.queue.next_tick())

    def _ring_one(self, alarm: Alarm) -> None:
        try:
            alarm.ring()
        except Exception:
            self._supervisor._counts.expiry_errors += 1
            logger.exception("what was due at this moment failed")


class Alarm:
    """
    Something that rings at its moment: never early, late by what the deadline queue allows.
    """

    __slots__ = ()

    _chunk: dict[Any, None] | None
    _bells: Bells
    due: float
    """When it rings, in seconds of the supervisor's clock."""

    if TYPE_CHECKING:

        def ring(self) -> None:
            """Do what is due: the queue has let go of it."""

    def set(self, due: float, span: float) -> None:
        """Ring at *due* instead of when it was to ring; *span* is how long the wait is."""
        self.clear()
        self.due = due  # type: ignore[misc]  # a slot of the subclass
        self._bells.arm(self._bells.queue.add(self, due, grain_of(span)))

    def clear(self) -> None:
        """Do not ring."""
        discard(self)


class Tenant(Protocol):
    """What keeps things on behalf of a supervisor or a session."""

    def _overdue(self) -> None:
        """Let go of what is due."""

    def _vacate(self, ended: Callable[[], Exception]) -> list[Task]:
        """
        Let go of everything, as the owner ends; from now on writes raise ``ended()``.

        Returns the tasks that were cancelled for that, and are to be waited for.
        """
        raise NotImplementedError  # pragma: no cover - a protocol


class Tenancy(Alarm):
    """
    What binds a tenant to its owner. It knows the tenant weakly, and goes when the tenant does.
    """

    __slots__ = ("__weakref__", "_bells", "_chunk", "_tenant", "due", "row")

    row: Callback | None
    """What makes the end of the owning session the tenant's too."""

    def __init__(self, bells: Bells, tenant: Tenant) -> None:
        self._chunk = self.row = None
        self._bells = bells
        self._tenant: Callable[[], Tenant | None] = weakref.ref(tenant, self._gone)

    @property
    def name(self) -> str:
        """
        What kind of thing the tenant is.
        """
        tenant = self._tenant()
        return "nothing" if tenant is None else type(tenant).__name__

    @property
    def clock(self) -> Callable[[], float]:
        """
        What tells the time that `set` means, in seconds.
        """
        return self._bells.clock

    def ring(self) -> None:
        tenant = self._tenant()
        if tenant is not None:
            tenant._overdue()

    def vacate(self, ended: Callable[[], Exception]) -> list[Task]:
        """Let the tenant know that its owner ends; return the tasks to be waited for."""
        self.clear()
        self.row = None
        tenant = self._tenant()
        return [] if tenant is None else tenant._vacate(ended)

    def _gone(self, _: object) -> None:
        self._tenant = _nobody  # the collector leaves a weak reference its callback: a cycle
        self.clear()
        row, self.row = self.row, None
        if row is not None and row._session is not None:  # whatever thread collects it
            row._session._disown(row)


def _nobody() -> None:
    """Stand for a tenant that is gone."""


def _due(alarm: Alarm) -> float:
    return alarm.due
