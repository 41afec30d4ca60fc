"""
An asyncio event loop that runs by a clock of its own, and knows when it would hang.

When nothing is ready, time moves to the next timer at once. Three things are told apart that all
look like a hang on an ordinary loop:

* *deadlock*: nothing is ready, no timer is armed, nobody outside will wake the loop;
* *livelock*: callbacks run for ever and time stands still;
* *the outside*: a file descriptor, an executor job or a thread started since the loop was made;
  where the loop handles signals, also an alarm that was set, and child processes. Then the loop
  polls really and its clock goes at the speed of the real one.

Prior art: trio's `MockClock`, looptime, aiotools' `VirtualClock` (the selector and `time` are
patched the same way; none of the last two detects a deadlock).
"""

from __future__ import annotations

import asyncio
import math
import selectors
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ._outsiders import Outsiders
from ._places import waits_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

    from ._clock import VirtualClock

T = TypeVar("T")

SLICE = 0.02
"""Real seconds of one look at the outside."""

RESOLUTION = 1e-9
STILL = 0.001
TALK = 0.1
"""Share of the steps of a livelock after which peers who talk on take their real time."""


class DeadlockError(RuntimeError):
    """
    Nothing is ready, no timer is armed, and nobody outside can wake the loop.

    .. versionadded:: 0.1
    """


class LivelockError(RuntimeError):
    """
    Callbacks ran again and again, and time did not move.

    .. versionadded:: 0.1
    """


class Observer(Protocol):
    """
    What is told of everything that a loop runs.
    """

    def made(self, task: asyncio.Task[Any]) -> None:
        """
        Take note that *task* was made; an eager one has run already.
        """
        ...

    def scheduled(self, handle: asyncio.Handle) -> None:
        """
        Take note that *handle* will be run.
        """
        ...

    def step(self, handle: asyncio.Handle) -> None:
        """
        Take note that *handle* is about to be run.
        """
        ...


class _Task(asyncio.Task[T]):
    """
    A task whose place in a set does not depend on its address: the same on each run.

    Task groups cancel their tasks in the order of a set.
    """

    def __init__(self, coro: Any, *, loop: VirtualLoop, **options: Any) -> None:
        loop.tasks_made += 1
        self._number = loop.tasks_made
        super().__init__(coro, loop=loop, **options)
        if loop.observer is not None and not self.done():
            loop.observer.made(self)

    def __hash__(self) -> int:
        return self._number


class _Ready(deque[asyncio.Handle]):
    """
    The loop's queue of callbacks, telling the observer of what comes in and goes out.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.loop = loop

    def append(self, handle: asyncio.Handle) -> None:
        super().append(handle)
        if self.loop.observer is not None:
            self.loop.observer.scheduled(handle)

    def popleft(self) -> asyncio.Handle:
        if self.loop.observer is not None and not self[0].cancelled():
            self.loop.observer.step(self[0])
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
        assert self.loop is not None, "it is selected from by its loop alone"
        return self.loop._virtual_select(self.real, timeout)

    def close(self) -> None:
        # The loop holds the selector and the selector the loop: part them.
        self.loop = None
        self.real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self.real.get_map()


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    An event loop in which waiting takes no time; `VirtualClock` makes it.

    On Windows it cannot run child processes: there only the Proactor's loop can.

    Args:
        clock: What time it is.
        eager: Start tasks eagerly (Python 3.12 and later; see `asyncio.eager_task_factory`).

    .. versionadded:: 0.1
    """

    # These belong to asyncio's base class, which does not annotate them.
    _scheduled: list[asyncio.TimerHandle]
    _clock_resolution: float
    _ready: deque[asyncio.Handle]
    _closed = True  # until the base is made: its finalizer looks

    def __init__(self, clock: VirtualClock, *, eager: bool = False) -> None:
        if eager and sys.version_info < (3, 12):
            raise RuntimeError("eager tasks need Python 3.12 or later: leave out eager=True")
        self.clock = clock
        self.observer: Observer | None = None
        self.tasks_made = 0
        self._silent_since: float | None = None
        self._still_since = clock.now
        self._still_real = time.monotonic()
        self._still_steps = 0
        self._talked = 0.0
        self.longest_silence: float = math.inf
        """Real seconds in which peers may say nothing, until time moves all the same."""
        self.longest_talk: float = math.inf
        """Real seconds in which somebody outside may keep the loop from ever being idle."""
        self._seen: list[tuple[selectors.SelectorKey, int]] = []
        selector = _Selector()
        super().__init__(selector)
        self._clock_resolution = RESOLUTION
        self._ready = _Ready(self)
        self._outsiders = Outsiders(self, selector)
        selector.loop = self
        # By name: 3.11 has none, and type checkers look with it in mind. Of its very own kind:
        # anyio looks at the factory's code.
        eagerly = "create_eager_task_factory"
        kind: Any = getattr(asyncio, eagerly) if eager else _lazy
        constructors: dict[bool, Any] = {False: _Task, True: _eager}
        self.set_task_factory(kind(constructors[eager]))

    def time(self) -> float:
        """
        Return the virtual time in seconds.
        """
        return self.clock.now

    @property
    def idle(self) -> bool:
        """
        Whether nothing is left to be run at this very time.
        """
        due = self._scheduled and self._scheduled[0].when() < self.time() + self._clock_resolution
        return not (self._ready or due)

    @property
    def timers(self) -> int:
        """
        How many timers are armed.
        """
        return sum(not handle.cancelled() for handle in self._scheduled)

    def close(self) -> None:
        """
        Close the loop, and part it from what holds it, so that its count alone frees it.
        """
        super().close()
        self.observer = None
        self._ready = deque()
        self._seen = []

    def run_in_executor(  # type: ignore[override]  # a TypeVarTuple would gain nothing here
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """
        Do what the base does, and count the job as outside until it is done.
        """
        future = super().run_in_executor(executor, func, *args)
        self._outsiders.jobs += 1
        future.add_done_callback(self._job_done)
        return future

    def _job_done(self, _: asyncio.Future[Any]) -> None:
        self._outsiders.jobs -= 1

    @property
    def threads(self) -> list[str]:
        """
        The names of the threads that were started since the loop was made, and could wake it.
        """
        return self._outsiders.threads

    def _virtual_select(
        self, real: selectors.BaseSelector, timeout: float | None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """
        Poll *real*, and move the clock instead of waiting where nobody outside is expected.
        """
        self._watch_steps()
        # Ask before polling: a thread that is gone by now has written to the self-pipe already.
        outside = "" if timeout == 0 else self._outsiders.named(real)
        events, before = real.select(0), self._seen
        self._seen = events
        if events and events != before:
            self._hear()
        if events or timeout == 0:
            self._silent_since = None
            return events
        if outside:
            return self._wait_really(real, timeout, outside)
        if timeout is None:
            raise DeadlockError(self._describe("deadlock: nothing is ready and no timer is armed"))
        # Exactly the timer's time, not now + timeout: rounding must not make anything early, and
        # asyncio never asks for more than a day at once.
        when = self._scheduled[0].when()
        if not self.clock._may_move_to(when):
            what = f"deadlock: the next timer is due at {when:.9g} s and nobody moves the clock"
            advice = "await clock.advance(seconds), or make it with autojump=True"
            raise DeadlockError(self._describe(f"{what}: {advice}"))
        self._move(when)
        return []

    def _wait_really(
        self, real: selectors.BaseSelector, timeout: float | None, outside: str
    ) -> list[tuple[selectors.SelectorKey, int]]:
        before = time.monotonic()
        self._silent_since = self._silent_since or before
        events = real.select(SLICE if timeout is None else min(timeout, SLICE))
        after = time.monotonic()
        if self.clock.autojump:
            self._move(self.time() + after - before)
        if events:
            self._silent_since = None
            return events
        silent = after - self._silent_since
        if timeout is not None:
            when = self._scheduled[0].when()
            may = silent > self.longest_silence or self.clock._is_told(when)
            if may and self._outsiders.are_peers(real):
                self._move(when)
                return events
        if silent > self.clock.patience:
            what = f"deadlock: {self.clock.patience} s without a sign of {outside}"
            advice = "beside these time is real, until you await clock.advance(seconds)"
            raise DeadlockError(self._describe(f"{what}: {advice}"))
        return events

    def _hear(self) -> None:
        """
        Take note that somebody outside makes progress: time goes on for who never stops talking.
        """
        if self._still_steps < TALK * self.clock.most_steps or not self.clock.autojump:
            return
        talked = time.monotonic() - self._still_real
        self._talked += talked
        if self._talked > self.longest_talk:
            what = f"livelock: {self.longest_talk:g} real seconds in which"
            fds = [key.fd for key, _ in self._seen]
            raise LivelockError(self._describe(f"{what} file descriptors {fds} were never silent"))
        self._move(self.time() + talked)

    def _move(self, when: float) -> None:
        self.clock._move(when)
        # Late in virtual time a nanosecond is less than a float can add.
        self._clock_resolution = max(RESOLUTION, 2 * math.ulp(self.time()))

    def _watch_steps(self) -> None:
        if self.time() - self._still_since >= STILL:
            self._still_since = self.time()
            self._still_real = time.monotonic()
            self._still_steps = 0
        self._still_steps += 1
        if self._still_steps > self.clock.most_steps:
            self._still_steps = 0
            what = f"livelock: {self.clock.most_steps} iterations and time stands still"
            ready = [key.fd for key, _ in self._seen]
            what += f", with file descriptors {ready} always ready" if ready else ""
            raise LivelockError(self._describe(what))

    def _describe(self, what: str) -> str:
        lines = [f"{what} (virtual time {self.time():.9g})"]
        for task in asyncio.all_tasks(self):
            name = getattr(task.get_coro(), "__qualname__", "?")
            lines.append(f"  {task.get_name()} {name} at {waits_at(task) or 'no frame'}")
        return "\n".join(lines)


def _eager(
    coro: Any, *, loop: VirtualLoop, **options: Any
) -> asyncio.Task[Any]:  # pragma: no cover - 3.11, where it is counted, has no eager tasks
    """
    Return an eager task.
    """
    # One that SystemExit leaves is taken out of a set meanwhile, when no Python code can run.
    kind: Any = asyncio.Task if loop.observer is None else _Task
    task: asyncio.Task[Any] = kind(coro, loop=loop, **options)
    return task


def _lazy(constructor: Callable[..., asyncio.Task[Any]]) -> Callable[..., asyncio.Task[Any]]:
    """
    Return a factory that lets tasks start in the next turn of the loop, as they do by default.
    """

    def factory(loop: VirtualLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        return constructor(coro, loop=loop, **options)

    return factory
