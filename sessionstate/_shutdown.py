"""How a supervisor is left: every session ends, within a bounded time."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

import anyio

from ._context import Task, holds, running_task, serving
from ._events import logger
from ._last import retire
from ._reasons import CloseReason
from ._resources import hide
from ._signals import multiplexer
from ._teardown import end

if TYPE_CHECKING:
    from ._session import Session
    from ._supervisor import Supervisor

SLICE = 500  # sessions ended before others get their turn


class Shutdown:
    """
    The end of one supervisor, in a task that nobody else can cancel.

    It waits for every session but those that cannot end before the caller goes on.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        loop = supervisor._loop
        self._over: asyncio.Future[None] = loop.create_future()
        self._wake: asyncio.Future[None] | None = None
        self._late = False
        self._fatal: BaseException | None = None
        task, mine = running_task(), serving.get()
        sessions = [*supervisor._live.values(), *supervisor._closing.values()]
        left_out = [each for each in sessions if each in mine or holds(task, each)]
        for each in left_out:  # which grows: parents wait for their children
            left_out += [each.parent] if each.parent is not None else []
        self._left_out = dict.fromkeys(left_out)
        supervisor._running = False
        supervisor._admission.close()
        if supervisor._memory_guard is not None:
            supervisor._memory_guard._stop()
        if supervisor._shutdown_timeout < float("inf"):
            supervisor._shutdown_ends = loop.time() + supervisor._shutdown_timeout
            self._timer: asyncio.TimerHandle | None = loop.call_later(
                supervisor._shutdown_timeout, self._hurry, context=supervisor._context
            )
        else:
            self._timer = None
        self._task: Task | None = None
        self._begin()

    def _begin(self, _died: Task | None = None) -> None:
        if not self._over.done() and not self._supervisor._loop.is_closed():
            supervisor = self._supervisor
            self._task = asyncio.Task(
                self._run(),
                loop=supervisor._loop,
                name=f"{supervisor.name}: shutdown",
                context=supervisor._context.copy(),
            )
            hide(self._task)
            self._task.add_done_callback(self._begin, context=supervisor._context)

    def take(self, fatal: BaseException) -> bool:
        """Take a KeyboardInterrupt or SystemExit of a clean-up, to be raised when all are done."""
        if self._over.done():
            return False
        self._fatal = self._fatal or fatal
        return True

    async def wait(self) -> None:
        """Wait until it is over, through every cancellation; raise the first of them then."""
        try:
            await asyncio.shield(self._over)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                while not self._over.done():
                    try:
                        await asyncio.shield(self._over)
                    except asyncio.CancelledError:
                        pass
            raise

    def session_closed(self) -> None:
        """Look again whether all are closed."""
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _outstanding(self) -> int:
        """Return how many are closing that are waited for."""
        left_out = sum(not session._closed() for session in self._left_out)
        return len(self._supervisor._closing) - left_out

    def _hurry(self) -> None:
        self._late = True
        for session in reversed(list(self._supervisor._live.values())):
            end(session, CloseReason.SHUTDOWN)
        closing = [
            each for each in self._supervisor._closing.values() if each not in self._left_out
        ]
        for session in sorted(closing, key=_age, reverse=True):  # children before parents
            try:
                session._hurry()
            except Exception:
                logger.exception(
                    "session %r could not be ended in order, and is dropped", session.id
                )
                self._supervisor._closing.pop(session.id, None)
                session._drop()
        self.session_closed()

    async def _woken(self) -> None:
        self._wake = self._supervisor._loop.create_future()
        await self._wake

    async def _run(self) -> None:
        supervisor = self._supervisor
        sessions = list(supervisor._live.values())
        while sessions:
            for session in reversed(sessions[-SLICE:]):  # children before parents
                end(session, CloseReason.SHUTDOWN)
            del sessions[-SLICE:]
            await asyncio.sleep(0)
            while not self._late and self._outstanding() >= supervisor._admission.max_closing:
                await self._woken()
        while self._outstanding() > 0:
            await self._woken()
        if self._timer is not None:
            self._timer.cancel()
        loads: list[Task] = []
        for tenancy in list(supervisor._tenancies):
            try:
                loads += tenancy.vacate(supervisor._left_error)
            except Exception:
                logger.exception("a container of supervisor %r failed to end", supervisor.name)
        if loads:
            ends = min(
                supervisor._shutdown_ends, supervisor._loop.time() + supervisor._close_timeout
            )
            left = max(0.0, ends - supervisor._loop.time())
            await asyncio.wait(loads, timeout=None if left == inf else left)
        supervisor._expiry.stop()
        supervisor._bells.stop()
        supervisor._tracer.stop()
        supervisor._surveyor.stop()
        supervisor._observers.end()
        multiplexer.release(supervisor)
        retire(supervisor)
        self._left_out.clear()
        if self._fatal is None:
            self._over.set_result(None)
        else:
            self._over.set_exception(self._fatal)


def _age(session: Session) -> int:
    return session.incarnation
