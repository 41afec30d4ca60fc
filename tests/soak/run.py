"""
One soak, from the first session until nothing is left of the last.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
import tracemalloc
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sessionstate import CloseReason
from sessionstate.testing import VirtualClock, VirtualLoop
from tests.soak.gauges import Gauges, Reading
from tests.soak.slopes import Slope, slope
from tests.soak.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable

MOST: Final = 1.0  # bytes a session
WARM_UP: Final = 0.2  # of the readings: pools, arenas and caches fill


@dataclass(frozen=True)
class Result:
    """
    What a soak found.
    """

    sessions: int
    seconds: float
    by_reason: dict[str, int]
    slopes: dict[str, Slope]
    left: dict[str, float]
    """The most that was left at any reading, by gauge."""
    errors: list[str]
    """What nobody could be told of."""
    readings: list[dict[str, float]]

    @classmethod
    def read(cls, stored: dict[str, Any]) -> Result:
        """
        Return a result from its JSON.
        """
        slopes = {name: Slope(**each) for name, each in stored.pop("slopes").items()}
        return cls(slopes=slopes, **stored)

    def failures(self) -> list[str]:
        """
        Return what should not be.
        """
        steep = [
            f"{name} rises by {each.value:.3f} bytes a session, where it may by less than {MOST:g}"
            for name, each in self.slopes.items()
            if name != "objects" and each.value >= MOST
        ]
        left = [f"left: {count:g} {name}" for name, count in self.left.items()]
        missing = [
            f"none ended as {reason}" for reason in CloseReason if not self.by_reason[reason]
        ]
        return [*steep, *left, *missing, *self.errors]


def soak(
    sessions: int,
    readings: int,
    processes: int,
    *,
    seed: int = 1,
    trace: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Result:
    """
    Let so many *sessions* come and go, and look *readings* times what is left of them.
    """
    errors: list[str] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda args: errors.append(f"unraisable: {args.exc_value!r}")
    log = logging.getLogger("sessionstate")
    level = log.level
    log.setLevel(logging.CRITICAL)  # the crashes are meant
    if trace:
        tracemalloc.start()
    try:
        return VirtualClock().run(
            _soak(sessions, readings, processes, seed=seed, errors=errors, tell=tell)
        )
    finally:
        if trace:
            tracemalloc.stop()
        log.setLevel(level)
        sys.unraisablehook = before


async def _soak(
    sessions: int,
    readings: int,
    processes: int,
    *,
    seed: int,
    errors: list[str],
    tell: Callable[[str], None] | None,
) -> Result:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.set_exception_handler(lambda _, context: errors.append(f"loop: {context}"))
    traffic = Traffic(loop.clock, seed)
    began = time.perf_counter()
    width = len(Reading._fields)
    table = array("d", bytes(8 * width * readings))  # all at once: it must not grow itself
    async with traffic.running():
        await traffic.wave()
        await traffic.processes(min(processes, 1))
        await traffic.settle()
        gauges = Gauges(loop, traffic.supervisors)
        gc.freeze()  # what the program is made of need not be looked at each time
        try:
            for row in range(readings):
                while traffic.ended() < sessions * (row + 1) // readings:
                    await traffic.wave()
                await traffic.processes(processes)
                await traffic.settle()
                reading = gauges.read(traffic.ended(), len(traffic.bus.heard))
                table[row * width : (row + 1) * width] = array("d", reading)
                if tell is not None:
                    tell(_progress(reading, time.perf_counter() - began))
        finally:
            gc.unfreeze()
        by_reason = traffic.by_reason()
    seen = [Reading(*table[row * width : (row + 1) * width]) for row in range(readings)]
    steady = seen[int(len(seen) * WARM_UP) :]
    names = ["objects", "traced" if tracemalloc.is_tracing() else "rss"]
    left: dict[str, float] = {}
    for reading in seen:
        for name, count in reading.left().items():
            left[name] = max(count, left.get(name, 0), key=abs)
    return Result(
        sessions=traffic.ended(),
        seconds=time.perf_counter() - began,
        by_reason=by_reason,
        slopes={
            name: slope([(each.sessions, getattr(each, name)) for each in steady]) for name in names
        },
        left=left,
        errors=errors[:20],
        readings=[each._asdict() for each in seen],
    )


def _progress(reading: Reading, seconds: float) -> str:
    rate = reading.sessions / seconds
    left = reading.left() or "nothing left"
    return f"{reading.sessions:>12,.0f}  {rate:6,.0f}/s  {reading.rss / 2**20:7.1f} MiB  {left}"
