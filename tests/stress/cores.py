"""
Does jobs on all cores, each within its share of the budget.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import TYPE_CHECKING

from tests.stress.jobs import Done, Job, be_quiet, do

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LEAST = 0.05
"""Seconds that a job gets at least."""


def cores() -> int:
    """
    Return how many processes run at once.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def do_all(
    jobs: list[Job],
    more: Iterator[Job],
    budget: float | None,
    tell: Callable[[Done, int], None],
) -> None:
    """
    Do *jobs*, then *more* of them for as long as there is budget; *tell* of each, and what waits.
    """
    began, number = time.monotonic(), cores()
    waiting, running = deque(jobs), dict[Future[Done], Job]()
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(number, mp_context=spawned, initializer=be_quiet) as pool:
        while True:
            left = None if budget is None else budget - (time.monotonic() - began)
            while len(running) < number:
                share = left
                if waiting:
                    if left is not None:
                        share = max(LEAST, left * number / (len(waiting) + len(running)))
                    job = waiting.popleft()
                elif left is not None and left > 1 and (drawn := next(more, None)):
                    job = drawn
                else:
                    break
                running[pool.submit(do, job, share)] = job
            if not running:
                return
            over, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
            for future in over:
                del running[future]
                tell(future.result(), len(waiting))
