"""
Time that a test moves, and the loop factory that goes with it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ._virtual_loop import LivelockError, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class VirtualClock:
    """
    Time that moves when told, or when everything waits.

    It is a clock: call it for the seconds. Pass it where a ``clock=`` is taken, or let a loop run
    by it: `new_event_loop` is a loop factory, for `asyncio.Runner`, pytest-asyncio and anyio's
    plugin alike. In such a loop waiting takes no time: as soon as nothing is ready, time is that
    of the next timer. Where nothing is ready and no timer is armed the loop says so with a
    `DeadlockError` instead of hanging; with a `LivelockError` if callbacks run on and on and time
    stands still. As long as a socket, a process, an executor job, a new thread, or an alarm that
    the loop handles could still wake the loop, it waits in earnest and time goes at its real speed.
    Signals that some other process may send are not waited for.

    Args:
        start: The time at the beginning, in seconds.
        autojump: Whether time moves to the next timer when everything waits. Without, it moves
            only by `jump`, `advance` and `advance_to`.
        patience: Real seconds without a sign from outside that are taken for a deadlock.
        most_steps: Iterations of the loop within one virtual millisecond that are taken for a
            livelock.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        start: float = 0.0,
        *,
        autojump: bool = True,
        patience: float = 20.0,
        most_steps: int = 200_000,
    ) -> None:
        if not math.isfinite(start):
            raise ValueError(f"start must be a finite number of seconds, not {start!r}")
        if not patience > 0:
            raise ValueError(f"patience must be a positive number of seconds, not {patience!r}")
        if most_steps < 1:
            raise ValueError(f"most_steps must be at least 1, not {most_steps!r}")
        self.autojump = autojump
        self.patience = patience
        self.most_steps = most_steps
        self._now = float(start)
        self._told: list[float] = []

    def __call__(self) -> float:
        """
        Return the time in seconds.
        """
        return self._now

    def __repr__(self) -> str:
        return f"<VirtualClock at {self._now:.9g} s{'' if self.autojump else ', moved by hand'}>"

    @property
    def now(self) -> float:
        """
        The time in seconds.
        """
        return self._now

    def jump(self, seconds: float) -> None:
        """
        Move time by *seconds* at once, without waiting for what is due by then.

        A loop that runs by this clock sees to that as soon as it is its turn. Everything that is
        due is late by then: to have it done on time, await `advance`.

        Raises:
            ValueError: If *seconds* is negative, infinite or NaN: time never goes back.
        """
        self._move(self._now + _checked(seconds))

    async def advance(self, seconds: float) -> None:
        """
        Let *seconds* go by, and everything that is due until then, and at their end, be done.

        Timers ring one after the other, each at its own time. Peers of open sockets have some real
        milliseconds to say something at each of these; for processes, jobs and threads it waits in
        earnest.

        Cancellation: time stays where it is.

        Raises:
            ValueError: If *seconds* is negative, infinite or NaN: time never goes back.
            RuntimeError: In a loop that does not run by this clock.
        """
        await self.advance_to(self._now + _checked(seconds))

    async def advance_to(self, when: float) -> None:
        """
        Same as `advance`, but to a point in time; one that is past only settles.
        """
        loop = self._loop()
        if when > self._now:
            future = loop.create_future()
            handle = loop.call_at(when, _set_result, future)
            self._told.append(when)
            try:
                await future
            finally:
                handle.cancel()
                self._told.remove(when)
        await self.settle()

    async def settle(self, *, rounds: int = 10_000) -> None:
        """
        Let everything be run that is ready now or becomes ready by that. Time does not move.

        Raises:
            LivelockError: If something is still ready after so many *rounds* of the loop.
        """
        loop = self._loop()
        for _ in range(rounds):
            await asyncio.sleep(0)
            if loop.idle:
                return
        raise LivelockError(f"something is still ready after {rounds} rounds")

    def new_event_loop(self) -> VirtualLoop:
        """
        Return a new event loop that runs by this clock: a loop factory.
        """
        return VirtualLoop(self)

    def new_eager_event_loop(self) -> VirtualLoop:
        """
        Same as `new_event_loop`, but its tasks start eagerly (Python 3.12 and later).
        """
        return VirtualLoop(self, eager=True)

    def run(self, main: Coroutine[Any, Any, T], *, eager: bool = False) -> T:
        """
        Do the same as `asyncio.run`, by this clock.

        Raises:
            DeadlockError: If everything waits and nothing will come.
            LivelockError: If callbacks run on and on while time stands still.
        """
        factory: Callable[[], VirtualLoop]
        factory = self.new_eager_event_loop if eager else self.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(main)

    def _loop(self) -> VirtualLoop:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop) or loop.clock is not self:
            raise RuntimeError(
                f"{self!r} does not move the running loop, {loop!r}: run in a loop that "
                f"clock.new_event_loop() made (under anyio's plugin, let the fixture "
                f"`anyio_backend` return `virtual_anyio_backend`), or call clock.jump(seconds)"
            )
        return loop

    # For the loop

    def _may_move_to(self, when: float) -> bool:
        return self.autojump or self._is_told(when)

    def _is_told(self, when: float) -> bool:
        return any(when <= each for each in self._told)

    def _move(self, when: float) -> None:
        self._now = max(self._now, when)


def _checked(seconds: float) -> float:
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"time cannot move by {seconds!r} s: it never goes back, nor for ever")
    return seconds


def _set_result(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
