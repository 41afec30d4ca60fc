"""Moments at which something is called, in the queue of the supervisor's one sleeper."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ._deadlines import DeadlineQueue, grain_of

if TYPE_CHECKING:
    from ._expiry import Expiry
    from ._resources import Callback


class Alarm:
    """
    Something that rings at its moment: never early, late by what the deadline queue allows.
    """

    __slots__ = ()

    _chunk: dict[Any, None] | None
    _expiry: Expiry
    due: float
    """When it rings, in seconds of the supervisor's clock."""

    if TYPE_CHECKING:

        def ring(self) -> None:
            """Do what is due: the queue has let go of it."""

    def set(self, due: float, span: float) -> None:
        """Ring at *due* instead of when it was to ring; *span* is how long the wait is."""
        self.clear()
        self.due = due  # type: ignore[misc]  # a slot of the subclass
        tick = self._expiry.alarms.add(self, due, grain_of(span))
        if tick < self._expiry.armed:
            self._expiry.arm(tick)

    def clear(self) -> None:
        """Do not ring."""
        DeadlineQueue[Alarm].discard(self)


class Tenant(Protocol):
    """What keeps things on behalf of a supervisor or a session."""

    def _overdue(self) -> None:
        """Let go of what is due."""

    def _vacate(self, ended: Callable[[], Exception]) -> None:
        """Let go of everything, as the owner ends; from now on writes raise ``ended()``."""


class Tenancy(Alarm):
    """
    What binds a tenant to its owner. It knows the tenant weakly, and goes when the tenant does.
    """

    __slots__ = ("__weakref__", "_chunk", "_expiry", "_tenant", "due", "row")

    row: Callback | None
    """What makes the end of the owning session the tenant's too."""

    def __init__(self, expiry: Expiry, tenant: Tenant) -> None:
        self._chunk = self.row = None
        self._expiry = expiry
        self._tenant: Callable[[], Tenant | None] = weakref.ref(tenant, self._gone)

    @property
    def clock(self) -> Callable[[], float]:
        """
        What tells the time that `set` means, in seconds.
        """
        return self._expiry.clock

    def ring(self) -> None:
        tenant = self._tenant()
        if tenant is not None:
            tenant._overdue()

    def vacate(self, ended: Callable[[], Exception]) -> None:
        """Let the tenant know that its owner ends."""
        self.clear()
        self.row = None
        tenant = self._tenant()
        if tenant is not None:
            tenant._vacate(ended)

    def _gone(self, _: object) -> None:
        self._tenant = _nobody  # the collector leaves a weak reference its callback: a cycle
        self.clear()
        row, self.row = self.row, None
        if row is not None and row._session is not None:  # whatever thread collects it
            row._session._disown(row)


def _nobody() -> None:
    """Stand for a tenant that is gone."""
