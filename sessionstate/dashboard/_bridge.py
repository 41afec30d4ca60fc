"""
The same source for another thread, which goes on answering while the supervisor's loop does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ._probe import Probe, without_history
from ._source import Blocked, Detail, NotAnsweringError, Overview, Page, Query
from ._stacks import running_at

if TYPE_CHECKING:
    from sessionstate import ProductionReport

LATE: Final = 1.0
"""Seconds without a sign of life after which the loop counts as blocked."""
PATIENCE: Final = 2.0
"""Seconds that a question waits for its answer."""

T = TypeVar("T")


class Bridge:
    """
    A `Source` for another loop, in another thread, than its probe's.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._loop: asyncio.AbstractEventLoop | None = None
        self._newer: asyncio.Event = asyncio.Event()

    def blocked(self) -> Blocked | None:
        """
        Return for how long the supervisor's loop has not answered, and where it is.
        """
        probe = self._probe
        supervisor = probe.supervisor
        silent = monotonic() - probe.beat
        if silent < LATE or not supervisor._running:
            return None
        return Blocked(seconds=silent, stack=running_at(supervisor._thread))

    async def overview(self, after: int | None = None) -> Overview:
        """
        Return the newest update, or wait for one; while the loop is blocked, one that says so.
        """
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._probe.published = self._tell
        while (latest := self._probe.latest) is None or (
            after is not None and latest["number"] <= after
        ):
            self._newer.clear()
            try:
                async with asyncio.timeout(LATE):
                    await self._newer.wait()
            except TimeoutError:
                if latest is not None and (self.blocked() or not self._probe.supervisor._running):
                    break
        found = latest.copy() if after is None else without_history(latest)
        found["running"] = self._probe.supervisor._running
        found["blocked"] = self.blocked()
        return found

    def _tell(self) -> None:
        """Wake those who wait for an update; called in the supervisor's thread."""
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._newer.set)
            except RuntimeError:  # it was closed
                self._probe.published = None

    async def sessions(self, query: Query) -> Page:
        """
        Return a page of the table.
        """
        return await self._ask(lambda: self._probe.sessions(query))

    async def session(self, incarnation: int) -> Detail | None:
        """
        Return all of one session.
        """
        return await self._ask(lambda: self._probe.session(incarnation))

    async def close(self, incarnation: int, by: str) -> bool:
        """
        Decide the end of a session.
        """
        return await self._ask(lambda: self._probe.close(incarnation, by))

    async def report(self) -> ProductionReport:
        """
        Return the leak report.
        """
        return await self._ask(self._probe.report)

    async def _ask(self, question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Have a question answered in the supervisor's loop, unless that takes too long."""
        over = False

        async def ask() -> T:
            if over:  # what was refused must not be done later
                raise asyncio.CancelledError
            return await question()

        asked = ask()
        try:
            answer = asyncio.run_coroutine_threadsafe(asked, self._probe.supervisor._loop)
        except RuntimeError:  # that loop was closed
            asked.close()
            raise NotAnsweringError(self._silence()) from None
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.wrap_future(answer)
        except TimeoutError:
            raise NotAnsweringError(self._silence()) from None
        finally:
            over = True

    def _silence(self) -> Blocked:
        probe = self._probe
        return self.blocked() or Blocked(
            seconds=max(PATIENCE, monotonic() - probe.beat),
            stack=running_at(probe.supervisor._thread),
        )
