"""
An asyncio event loop whose clock jumps, for tests that never sleep.

`VirtualLoop` is a `SelectorEventLoop` with its own `time()`. When nothing is ready, time moves to
the next timer at once. Three things are told apart that all look like a hang on an ordinary loop:

* *deadlock*: nothing is ready, no timer is armed, nobody outside will wake the loop:
  `DeadlockError`;
* *livelock*: callbacks run for ever and time stands still: `LivelockError`;
* *the outside*: a file descriptor, an executor job or a thread started since the loop was made.
  Then the loop polls really and its clock runs at the speed of the real one, up to `patience`
  seconds without any event.

`before_step` is called before each callback of the loop: there `tests/injection.py` cancels.

Prior art: trio's `MockClock`, looptime, aiotools' `VirtualClock` (the selector and `time` are
patched the same way; none of the last two detects a deadlock).
"""

from __future__ import annotations

import asyncio
import math
import selectors
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from concurrent.futures import Executor

T = TypeVar("T")

SLICE = 0.02
RESOLUTION = 1e-9


class DeadlockError(RuntimeError):
    """
    Nothing is ready, no timer is armed, and nobody outside can wake the loop.
    """


class LivelockError(RuntimeError):
    """
    Callbacks ran again and again and the time did not move.
    """


class _Ready(deque[asyncio.Handle]):
    """
    The loop's queue of callbacks, telling the loop before one is taken.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.loop = loop

    def popleft(self) -> asyncio.Handle:
        if not self[0].cancelled():
            self.loop.steps += 1
            if self.loop.before_step is not None:
                self.loop.before_step()
        return super().popleft()


class _Selector(selectors.BaseSelector):
    """
    A real selector that asks the loop before it waits.
    """

    def __init__(self) -> None:
        # Windows has nothing but select(); elsewhere this is epoll or kqueue.
        self.real = selectors.DefaultSelector()
        self.loop: VirtualLoop | None = None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.loop is None:
            return self.real.select(timeout)
        return self.loop.virtual_select(self.real, timeout)

    def close(self) -> None:
        # The loop holds the selector and the selector the loop: part them.
        self.loop = None
        self.real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self.real.get_map()


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    An event loop in which waiting takes no time.

    Args:
        eager: Start tasks eagerly (Python 3.12 and later; see `asyncio.eager_task_factory`).
        patience: Real seconds to wait for the outside before the silence counts as a deadlock.
        most_steps: Loop iterations within one virtual millisecond before they count as a livelock.
    """

    # These belong to asyncio's base class, which does not annotate them.
    _scheduled: list[asyncio.TimerHandle]
    _clock_resolution: float

    def __init__(
        self, *, eager: bool = False, patience: float = 20.0, most_steps: int = 200_000
    ) -> None:
        self._now = 0.0
        self._jobs = 0
        self._silent_since: float | None = None
        self._still_since = 0.0
        self._still_steps = 0
        self._bystanders = frozenset(threading.enumerate())
        self.patience = patience
        self.most_steps = most_steps
        self.steps = 0
        self.before_step: Callable[[], None] | None = None
        selector = _Selector()
        super().__init__(selector)
        self._clock_resolution = RESOLUTION
        self._ready = _Ready(self)
        self._inside = len(selector.get_map())
        selector.loop = self
        if eager:
            # By name: 3.11 has none, and type checkers look at the tests with it in mind.
            self.set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009

    def time(self) -> float:
        """
        Return the virtual time in seconds.
        """
        return self._now

    @property
    def idle(self) -> bool:
        """
        Whether nothing is left to be run at this very time.
        """
        due = self._scheduled and self._scheduled[0].when() < self._now + self._clock_resolution
        return not (self._ready or due)

    @property
    def timers(self) -> int:
        """
        How many timers are armed.
        """
        return sum(not handle.cancelled() for handle in self._scheduled)

    def run_in_executor(  # type: ignore[override]  # a TypeVarTuple would gain nothing here
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """
        Do what the base does, and count the job as outside until it is done.
        """
        future = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._job_done)
        return future

    def _job_done(self, _: asyncio.Future[Any]) -> None:
        self._jobs -= 1

    def _outside(self, fds: int) -> str:
        """
        Return who could still wake the loop from outside, or an empty string.
        """
        if fds > self._inside:
            return f"{fds - self._inside} file descriptors"
        if self._jobs:
            return f"{self._jobs} executor jobs"
        newer = [t for t in threading.enumerate() if t not in self._bystanders]
        threads = [t.name for t in newer if not _is_idle_worker(t)]
        return f"threads {threads}" if threads else ""

    def virtual_select(
        self, real: selectors.BaseSelector, timeout: float | None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """
        Poll *real*, and move the clock instead of waiting where nobody outside is expected.
        """
        self._watch_steps()
        # Ask before polling: a thread that is gone by now has written to the self-pipe already.
        outside = "" if timeout == 0 else self._outside(len(real.get_map()))
        events = real.select(0)
        if events or timeout == 0:
            self._silent_since = None
            if events:
                self._still_steps = 0
            return events
        if outside:
            return self._wait_really(real, timeout, outside)
        if timeout is None:
            raise DeadlockError(self._describe("deadlock: nothing is ready and no timer is armed"))
        # Exactly the timer's time, not now + timeout: rounding must not make anything early, and
        # asyncio never asks for more than a day at once.
        self._move(self._scheduled[0].when())
        return []

    def _wait_really(
        self, real: selectors.BaseSelector, timeout: float | None, outside: str
    ) -> list[tuple[selectors.SelectorKey, int]]:
        before = time.monotonic()
        self._silent_since = self._silent_since or before
        events = real.select(SLICE if timeout is None else min(timeout, SLICE))
        after = time.monotonic()
        self._move(self._now + after - before)
        if events:
            self._silent_since = None
        elif after - self._silent_since > self.patience:
            what = f"deadlock: {self.patience} s without a sign of {outside}"
            raise DeadlockError(self._describe(what))
        return events

    def _move(self, now: float) -> None:
        self._now = max(self._now, now)
        # Late in virtual time a nanosecond is less than a float can add.
        self._clock_resolution = max(RESOLUTION, 2 * math.ulp(self._now))

    def _watch_steps(self) -> None:
        if self._now - self._still_since >= 0.001:
            self._still_since = self._now
            self._still_steps = 0
        self._still_steps += 1
        if self._still_steps > self.most_steps:
            self._still_steps = 0
            raise LivelockError(self._describe(f"livelock: {self.most_steps} iterations"))

    def _describe(self, what: str) -> str:
        lines = [f"{what} (virtual time {self._now})"]
        for task in asyncio.all_tasks(self):
            frames = task.get_stack(limit=1)
            code = frames[0].f_code if frames else None
            where = f"{code.co_filename}:{frames[0].f_lineno}" if code else "no frame"
            name = getattr(task.get_coro(), "__qualname__", "?")
            lines.append(f"  {task.get_name()} {name} at {where}")
        return "\n".join(lines)


def _is_idle_worker(thread: threading.Thread) -> bool:
    """
    Tell whether nothing is to be expected from *thread*.

    Executor jobs are counted, so their threads are not; anyio's workers say when they are idle.
    """
    module = sys.modules.get("concurrent.futures.thread")
    if thread in getattr(module, "_threads_queues", ()):
        return True
    return thread in getattr(thread, "idle_workers", ())


def eager_loop() -> VirtualLoop:
    """
    Return a virtual loop with eager tasks.
    """
    return VirtualLoop(eager=True)


class Clock:
    """
    The running loop's time, to be moved by a test.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def __call__(self) -> float:
        """
        Return the virtual time, as a `clock` argument does.
        """
        return self._loop.time()

    @property
    def now(self) -> float:
        """
        The virtual time in seconds.
        """
        return self._loop.time()

    async def advance(self, seconds: float) -> None:
        """
        Let *seconds* go by, and everything that is due at their end be done.
        """
        await self.advance_to(self._loop.time() + seconds)

    async def advance_to(self, when: float) -> None:
        """
        Do the same as `advance`, but to a point in time.
        """
        future = self._loop.create_future()
        handle = self._loop.call_at(when, _set_result, future)
        try:
            await future
        finally:
            handle.cancel()
        await self.settle()

    async def settle(self, *, rounds: int = 10_000) -> None:
        """
        Let everything be run that is ready now or becomes ready by that.
        """
        for _ in range(rounds):
            await asyncio.sleep(0)
            if self._loop.idle:
                return
        raise LivelockError(f"something is still ready after {rounds} rounds")


def _set_result(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def run(main: Coroutine[Any, Any, T], *, eager: bool = False) -> T:
    """
    Do the same as `asyncio.run`, but in virtual time.
    """
    with asyncio.Runner(loop_factory=eager_loop if eager else VirtualLoop) as runner:
        return runner.run(main)
