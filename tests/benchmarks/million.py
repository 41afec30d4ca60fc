"""
What the rows at 1,000,000 sessions share: a clock that can stand still, a filled supervisor.
"""

import asyncio
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median, quantiles
from time import monotonic, perf_counter_ns, thread_time_ns

from sessionstate import SessionMap, Supervisor

IDLE_TIMEOUT = 60.0
WAKE = 0.02
BATCH = 256


class HeldClock:
    """
    A clock that stands still until it is told to jump, and then runs.

    All that is opened while it stands has one and the same deadline. The sleeper has no means to
    know of a jump, so `expire_all` opens a session with a short timeout just before.
    """

    __slots__ = ("_offset", "_standing")

    def __init__(self) -> None:
        self._offset = 0.0
        self._standing: float | None = monotonic()

    def __call__(self) -> float:
        """
        Tell the time, in seconds.
        """
        if self._standing is not None:
            return self._standing
        return monotonic() + self._offset

    def hold(self) -> None:
        """
        Stand still from now on.
        """
        self._standing = self()

    def jump(self, seconds: float) -> None:
        """
        Be *seconds* later at once, and run.
        """
        self._offset = self() + seconds - monotonic()
        self._standing = None


class Heartbeat:
    """
    A task that wants a turn at every turn of the loop, and notes how long it had to wait.
    """

    def __init__(self) -> None:
        self.cpu: list[int] = []
        self.wall: list[int] = []
        self._stopped = False

    async def run(self) -> None:
        """
        Beat until stopped.
        """
        cpu, wall = thread_time_ns(), perf_counter_ns()
        while not self._stopped:
            await asyncio.sleep(0)
            cpu_now, wall_now = thread_time_ns(), perf_counter_ns()
            self.cpu.append(cpu_now - cpu)
            self.wall.append(wall_now - wall)
            cpu, wall = cpu_now, wall_now

    def stop(self) -> None:
        """
        Beat once more at most.
        """
        self._stopped = True

    def summary(self) -> dict[str, float | int]:
        """
        Gaps in milliseconds; turns in which nobody else worked are left out.
        """
        worked = [
            (cpu / 1e6, wall / 1e6)
            for cpu, wall in zip(self.cpu, self.wall, strict=True)
            if cpu > 50_000
        ]
        if len(worked) < 2:
            return {"gaps": len(worked)}
        cpus = [cpu for cpu, _ in worked]
        walls = [wall for _, wall in worked]
        return {
            "gaps": len(worked),
            "cpu_p50_ms": round(median(cpus), 3),
            "cpu_p99_ms": round(quantiles(cpus, n=100)[98], 3),
            "cpu_max_ms": round(max(cpus), 3),
            "wall_p50_ms": round(median(walls), 3),
            "wall_p99_ms": round(quantiles(walls, n=100)[98], 3),
            "wall_max_ms": round(max(walls), 3),
        }


@contextmanager
def collector(*, enabled: bool) -> Iterator[None]:
    """
    Collect once, then run the block with the cyclic collector on or off.
    """
    gc.collect()
    if not enabled:
        gc.disable()
    try:
        yield
    finally:
        gc.enable()


def make_ids(number: int, prefix: str = "session") -> list[str]:
    """
    Make *number* ids, as a program would.
    """
    return [f"{prefix}-{index}" for index in range(number)]


async def fill(supervisor: Supervisor, agents: SessionMap[str], ids: Sequence[str]) -> None:
    """
    Open a session for each id, with one map entry, and let the loop turn now and then.
    """
    for index, id in enumerate(ids):
        await supervisor.open(id)
        agents[id] = "agent"
        if not index % BATCH:
            await asyncio.sleep(0)


async def wake_later(supervisor: Supervisor, clock: HeldClock, seconds: float) -> None:
    """
    Let the clock jump, and have the supervisor look at it within a moment.
    """
    await supervisor.open("the one that wakes", idle_timeout=WAKE)
    clock.jump(seconds)
