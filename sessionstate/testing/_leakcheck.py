"""
Drives one request again and again, and tells whether anything is left of it.
"""

from __future__ import annotations

import os
import sysconfig
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import isfinite
from typing import Final

from ._counts import Counts
from ._drive import Drive, Request, name_of_request
from ._garbage import frozen
from ._leak_report import LeakReport
from ._leak_text import SMALL
from ._quiescence import Advance, Quiescence
from ._sampling import Sampler, callers, deepen, order, tracing
from ._verdicts import (
    FEWEST_SAMPLES,
    LEAST_WARM_UP,
    LeakRow,
    Verdict,
    deciding,
    more_rounds,
    overall,
    warm_up_rounds,
)

FLOOR: Final = 8 * 1024
FEWEST_ROUNDS: Final = 5
MOST_WARM_UP: Final = 0.9
ROUND: Final = 1024
"""Bytes that a round may cost by itself, however few requests it has."""
SCRIPTS: Final = os.path.join(sysconfig.get_path("scripts"), "")  # noqa: PTH118 - ends with a separator
"""Where the commands lie that start it all: what they call is nobody's leak."""


async def leakcheck(
    request: Request,
    *,
    rounds: int = 30,
    requests: int = 150,
    warm_up: float = LEAST_WARM_UP,
    floor: float = FLOOR,
    reset: Iterable[object] = (),
    keep: Iterable[object] = (),
    advance: Advance = None,
    time_limit: float | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> LeakReport:
    """
    Call *request* some thousand times, and tell whether anything grows with it.

    Each request is a task of its own, as in a server. After each round everything is brought to
    rest: tasks run to their ends, sessions are closed, times to live pass, caches of bounded size
    that keep growing are emptied, garbage is collected. Then there is a sample: how many sessions,
    tasks, timers, resources, threads, child processes and file descriptors are left, which blocks
    nobody has left, which entries of `ExpiringMap` and `LRUCache` nothing would ever remove, and
    how many bytes each line has allocated. What is counted decides without statistics. Bytes
    decide by their slope, with an interval, against a floor. The resident set size is shown only.

    In a `VirtualLoop`, times to live pass by its clock. On another loop time cannot be moved:
    where sessionstate's own containers keep growing, entries with a time to go are dropped then,
    and other maps with a time to live are to be named in *reset*.

    It takes as long as the requests, which are about ten times slower while allocations are traced.
    Cancellation: it stops, and nothing is traced any more.

    Args:
        request: An async function that makes one request. It is called with the number of the
            request, from 0, if it takes an argument.
        rounds: How many samples there are. After the warm-up, 20 are needed for bytes.
        requests: How many requests there are in a round.
        warm_up: The share of rounds whose samples do not count, at least 0.3.
        floor: Bytes per 1000 requests that are not taken for growth, because the interpreter
            itself grows; `calibrate` measures how much. It is at least 1 KB a round, which
            counts where a round has few requests.
        reset: What else keeps a bounded number of things: functions without arguments, or objects
            with ``clear()`` or ``cache_clear()``.
        keep: Caches of `functools` and containers of sessionstate that are never to be emptied,
            because requests rely on what is in them.
        advance: How times to live pass: seconds for the clock of a `VirtualLoop` (default: longer
            than whatever sessionstate keeps, an hour at least; 0 for not at all), a `VirtualClock`
            that the program under test uses, or a function. Sessions that were there before do
            not age by it.
        time_limit: Seconds of the loop's clock that a request may take. Default: a minute; a day
            in a `VirtualLoop`.
        progress: Called after each round with the number of rounds done, and of all.

    Returns:
        The verdict, with what it rests on.

    Raises:
        RequestError: If three requests raise, or one does not end. A request that tests an error
            path catches what it expects.
        TypeError: If *request* is no async function, *reset* names what cannot be reset, or *keep*
            what is never emptied.
        ValueError: If there are too few rounds, or another number makes no sense.

    .. versionadded:: 0.1
    """
    dropped = _check_numbers(rounds, requests, warm_up, floor)
    _check_limit(time_limit)
    floor = max(floor, ROUND * 1000 / requests)
    drive = Drive(request, requests, time_limit)
    began = time.perf_counter()
    with tracing() as ours:
        counts = Counts()
        quiescence = Quiescence(counts, reset, keep, advance)
        with frozen():
            sampler = Sampler(counts, quiescence, rounds)
            for number in range(rounds):
                await drive.round()
                await quiescence.reach()
                sampler.take(number)
                if progress is not None:
                    progress(number + 1, rounds)
            rows = sampler.rows(requests, dropped, floor)
            verdict = overall(rows)
            if ours and verdict is not Verdict.BOUNDED:
                rows = await _with_callers(rows, drive, quiescence)
        rows = sorted(sampler.named(rows), key=order)
    needs = 0
    if verdict is Verdict.INCONCLUSIVE:
        undecided = [row for row in deciding(rows) if row.verdict is verdict]
        needs = requests * max(more_rounds(row, rounds, dropped) for row in undecided)
    return LeakReport(
        subject=name_of_request(request),
        verdict=verdict,
        rows=tuple(rows),
        requests=rounds * requests,
        requests_each=requests,
        rounds=rounds,
        dropped=dropped,
        floor=floor,
        needs=needs,
        seconds=time.perf_counter() - began,
        notes=drive.notes(),
    )


async def _with_callers(rows: list[LeakRow], drive: Drive, quiescence: Quiescence) -> list[LeakRow]:
    """
    Make one more round with whole stacks, and say of the sites that grow who called.
    """
    growing = [row.name for row in rows if row.kind == "site" and row.slope > row.floor * SMALL]
    if not growing:
        return rows
    deepen()
    await drive.round()
    await quiescence.reach()
    found = callers(frozenset(growing))
    found = {site: where for site, where in found.items() if not where.startswith(SCRIPTS)}
    return [
        replace(row, where=found.get(row.name, "")) if row.kind == "site" else row for row in rows
    ]


def _check_numbers(rounds: int, requests: int, warm_up: float, floor: float) -> int:
    """
    Refuse numbers that make no sense; return how many rounds are warm-up.
    """
    if rounds < FEWEST_ROUNDS:
        raise ValueError(
            f"rounds ({rounds}) must be at least {FEWEST_ROUNDS}: growth shows in several samples "
            f"after the warm-up; bytes need {FEWEST_SAMPLES} of them, so rounds=30"
        )
    if requests < 1:
        raise ValueError(f"requests ({requests}) must be at least 1 in each round")
    if not LEAST_WARM_UP <= warm_up <= MOST_WARM_UP:
        raise ValueError(
            f"warm_up ({warm_up}) must be a share of the rounds, from {LEAST_WARM_UP} to "
            f"{MOST_WARM_UP}: what is made once is made there"
        )
    if not (isfinite(floor) and floor > 0):
        raise ValueError(
            f"floor ({floor}) must be a positive number of bytes per 1000 requests: the "
            f"interpreter itself grows a little; await calibrate() measures how much"
        )
    return warm_up_rounds(rounds, warm_up)


def _check_limit(time_limit: float | None) -> None:
    if time_limit is not None and not time_limit > 0:
        raise ValueError(
            f"time_limit ({time_limit}) must be a positive number of seconds for one request, "
            f"infinite for no limit, or None for a minute, or for a day of virtual time"
        )
