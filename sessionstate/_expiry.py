"""
The supervisor's task: it sleeps until the earliest deadline and ends what is due.

It never polls and arms nothing when there is nothing. When much is due at once, it works in slices
of a bounded time, so that the loop stays responsive. It is begun again if it dies.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import islice
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from ._clock import clock_of
from ._context import Task
from ._deadlines import DeadlineQueue, grain_of
from ._events import logger
from ._teardown import end

if TYPE_CHECKING:
    from ._session import Session
    from ._supervisor import Supervisor

SLICE: Final = 0.0005  # seconds of work before others get their turn
BATCH: Final = 8  # sessions between two looks at the clock
LONGEST: Final = 86_400.0  # of a sleep: loops refuse much longer timers
LOOKED_AT: Final = 256  # sessions among which room is sought
RETRY: Final = 1.0  # seconds after which a session is looked at again whose expiry failed
_last_used = attrgetter("last_used")
ROUND_UP: Final = 0.001  # uvloop's timers fire up to this early; sleeping for less would spin


class Expiry:
    """Two deadline queues and the task that watches them."""

    _task: Task
    work_clock: Callable[[], float]
    """What measures the slices."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.idle: DeadlineQueue[Session] = DeadlineQueue()
        """Sessions that nobody holds; eviction looks here."""
        self.held: DeadlineQueue[Session] = DeadlineQueue()
        """Held sessions with a limit; eviction never looks here."""
        self.armed = inf
        """The tick for which the timer is set."""
        self._supervisor = supervisor
        self._timer: asyncio.TimerHandle | None = None
        self._sleeper: asyncio.Future[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin to watch, and begin again whenever the task dies."""
        if self._stopped:
            return
        supervisor = self._supervisor
        loop = supervisor._loop
        real = clock_of(loop) is time.monotonic
        self.work_clock = time.perf_counter if real else loop.time
        self._task = asyncio.Task(
            self._run(),
            loop=loop,
            name=f"{supervisor.name}: expiry",
            context=supervisor._context.copy(),
        )
        # Who drops a supervisor is told of that once already.
        self._task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._task.add_done_callback(self._died, context=supervisor._context)

    def stop(self) -> None:
        """Stop watching."""
        self._stopped = True
        self._disarm()
        self._task.cancel()

    def _died(self, task: Task) -> None:
        loop = self._supervisor._loop
        if self._stopped or loop.is_closed():
            return
        self._supervisor._counts.restarts += 1
        self._disarm()
        if task.cancelled():
            self.start()
        else:  # at once, it would die at once again
            logger.error("the expiry task died, and is begun again", exc_info=task.exception())
            loop.call_later(RETRY, self.start, context=self._supervisor._context)

    def _disarm(self) -> None:
        self.armed = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def arm(self, tick: float) -> None:
        """Set the timer to *tick*, which is earlier than what it is set to."""
        self._disarm()
        self.armed = tick
        supervisor = self._supervisor
        self._timer = supervisor._loop.call_later(
            delay_until(tick, supervisor._clock()), self._wake, context=supervisor._context
        )

    def _wake(self) -> None:
        self._disarm()
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def _run(self) -> None:
        while True:
            worked = await self._end_due()
            tick = min(self.idle.next_tick(), self.held.next_tick())
            if worked and tick <= self._supervisor._clock():
                await asyncio.sleep(0)
                continue
            if tick < self.armed:
                self.arm(tick)
            self._sleeper = self._supervisor._loop.create_future()
            try:
                await self._sleeper
            finally:
                self._sleeper = None

    async def _end_due(self) -> bool:
        """End what is due; tell whether anything was."""
        supervisor = self._supervisor
        worked = False
        until = self.work_clock() + SLICE
        for queue in (self.held, self.idle):
            while (chunk := queue.due(supervisor._clock())) is not None:
                worked = True
                now = supervisor._clock()
                for _ in range(BATCH):
                    if not chunk:
                        break
                    session = chunk.popitem()[0]
                    session._chunk = None
                    self._end_or_requeue(session, queue, now)
                await supervisor._admission.breathe()
                if self.work_clock() >= until:
                    await asyncio.sleep(0)
                    until = self.work_clock() + SLICE
        return worked

    def _end_or_requeue(self, session: Session, queue: DeadlineQueue[Session], now: float) -> None:
        """End *session* if it is due; if it was touched since, queue it for its new deadline."""
        try:
            if session._due() > now:
                session._enqueue(queue, grain_of(session._limit))
            else:
                end(session, *session._due_reason())
        except Exception as error:
            self._supervisor._expiry_failed(session, error)
            if session._end is None and session._chunk is None:
                queue.add(session, now + RETRY, grain_of(RETRY))

    def end_one_due(self) -> bool:
        """
        End one session that is due but not swept yet, to make room; tell whether there was one.
        """
        now = self._supervisor._clock()
        for queue in (self.held, self.idle):
            for _ in range(LOOKED_AT):
                chunk = queue.due(now)
                if chunk is None:
                    break
                session = chunk.popitem()[0]
                session._chunk = None
                self._end_or_requeue(session, queue, now)
                if session._end is not None:
                    return True
            for session in islice(queue, LOOKED_AT):  # due, though its tick is still to come
                if session._due() <= now:
                    end(session, *session._due_reason())
                    return True
        return False

    def idle_longest(self) -> Session | None:
        """Return the session that is idle longest, among those whose deadlines come first."""
        return min(islice(self.idle, LOOKED_AT), key=_last_used, default=None)


def delay_until(tick: float, now: float) -> float:
    """Return the delay of a loop's timer for *tick*."""
    return min(max(tick - now, ROUND_UP), LONGEST)
