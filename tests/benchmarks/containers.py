"""
ExpiringMap, LRUCache and ReplayGuard against their peers, one after the other in the same rounds.
"""

from __future__ import annotations

import gc
import random
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from itertools import accumulate
from statistics import median
from time import thread_time_ns
from typing import Any

from sessionstate import ReplayGuard
from tests.benchmarks.containers_peers import EXPIRING, LRU, SLOW, Peer, present, versions
from tests.benchmarks.measure import Figure, Note, Plan

SEED = 7
OPERATIONS = ("set", "get", "touch", "delete", "mix")
RUST = "cachebox"
REFERENCES = {"dict", RUST, "ExpiringMap", "ExpiringMap, idle too", "LRUCache"}

Costs = dict[str, dict[str, list[float]]]


def zipf(keys: Sequence[str], number: int) -> list[tuple[str, bool]]:
    """
    Some keys far more often than others, and every tenth one written.
    """
    rng = random.Random(SEED)
    weights = list(accumulate(1 / rank for rank in range(1, len(keys) + 1)))
    chosen = rng.choices(keys, cum_weights=weights, k=number)
    return [(key, rng.random() < 0.1) for key in chosen]


async def timed(work: Any, keys: Sequence[Any]) -> float:
    """
    Nanoseconds of CPU time for each key, the loop included, as it is for all.
    """
    begun = thread_time_ns()
    await work(keys)
    return (thread_time_ns() - begun) / len(keys)


async def measured(
    peers: dict[str, Callable[[int], Peer]], names: Sequence[str], n: int, rounds: int
) -> Costs:
    """
    Fill, read, touch, mix and empty each peer, by turns, in rounds.
    """
    keys = [f"key-{number}" for number in range(n)]
    shuffled = random.Random(SEED).sample(keys, n)
    mixed = zipf(shuffled, max(n, 10_000))
    costs: Costs = {name: {operation: [] for operation in OPERATIONS} for name in names}
    for _ in range(rounds):
        for name in names:
            made = peers[name](n)
            gc.collect()
            gc.disable()
            try:
                for operation in ("set", "get", "touch", "mix", "delete"):
                    work: Sequence[Any] = {"set": keys, "mix": mixed}.get(operation, shuffled)
                    costs[name][operation].append(await timed(made[operation], work))
            finally:
                gc.enable()
            del made
    return costs


def ratio(costs: Costs, name: str, other: str, operation: str) -> float:
    """
    The median of the rounds' ratios.
    """
    pairs = zip(costs[name][operation], costs[other][operation], strict=True)
    return median(a / max(b, 0.1) for a, b in pairs)


def nanoseconds(costs: Costs, operation: str) -> dict[str, Note]:
    """
    What each peer took, for the table.
    """
    return {f"ns of {name}": round(median(cost[operation])) for name, cost in costs.items()}


async def containers(plan: Plan) -> list[Figure]:
    """
    Five operations at 1,000 and 100,000 entries, against every peer that is installed.
    """
    figures: list[Figure] = []
    here, missing = present(EXPIRING)
    for name in missing:
        print(f"{name} is not installed, and left out", file=sys.stderr)
    for n in (1_000, 100_000):
        names = [name for name in here if n == 1_000 or name not in SLOW]
        rounds = 30 if n == 1_000 else 5
        costs = await measured(EXPIRING, names, n, min(rounds, plan.rounds))
        for operation in OPERATIONS:
            notes = {**nanoseconds(costs, operation), **versions(names)}
            python = [name for name in names if name not in REFERENCES]
            if python:
                ratios = {name: ratio(costs, "ExpiringMap", name, operation) for name in python}
                nearest = max(ratios, key=ratios.__getitem__)
                what = f"ExpiringMap {operation}, {n:,} entries"
                figures.append(
                    Figure(
                        what,
                        f"the nearest of {len(python)} peers: {nearest}",
                        ratios[nearest],
                        1.0,
                        notes=notes,
                    )
                )
            if RUST in names:
                times = ratio(costs, "ExpiringMap", RUST, operation)
                what = f"ExpiringMap {operation}, {n:,} entries"
                figures.append(Figure(what, "cachebox.VTTLCache (Rust)", times, 3.0, notes=notes))
    return figures


async def lru(plan: Plan) -> list[Figure]:
    """
    A read of LRUCache from 1,000 to 1,000,000 entries, against its peers and against a dict.
    """
    figures: list[Figure] = []
    here, missing = present(LRU)
    for name in missing:
        print(f"{name} is not installed, and left out", file=sys.stderr)
    growth: dict[int, float] = {}
    for n in (1_000, 10_000, 100_000, 1_000_000):
        if n > plan.sessions:
            continue
        costs = await measured(LRU, here, n, max(3, min(30, 300_000 // n)))
        growth[n] = ratio(costs, "LRUCache", "dict", "get")
        for name in here:
            if name not in REFERENCES:
                times = ratio(costs, "LRUCache", name, "get")
                notes = nanoseconds(costs, "get")
                figures.append(
                    Figure(f"LRUCache get, {n:,} entries", name, times, 1.0, notes=notes)
                )
    worst = max(growth.values()) / growth[1_000]
    notes = {f"times a dict at {n}": round(times, 2) for n, times in growth.items()}
    figures.append(
        Figure(
            "LRUCache get over a dict's, as entries grow",
            "itself at 1,000",
            worst,
            2.0,
            notes=notes,
        )
    )
    return figures


async def replay(plan: Plan) -> list[Figure]:
    """
    `first_seen` of as many new keys as there are sessions elsewhere, and the memory of each.
    """
    n = plan.sessions
    keys = [f"signature-{number}" for number in range(n)]
    ratios: list[float] = []
    for _ in range(5):
        guard = ReplayGuard(window=300, maxsize=None)
        plain: set[str] = set()
        gc.collect()
        gc.disable()
        begun = thread_time_ns()
        for key in keys:
            guard.first_seen(key)
        middle = thread_time_ns()
        for key in keys:
            if key not in plain:
                plain.add(key)
        ended = thread_time_ns()
        gc.enable()
        ratios.append((middle - begun) / (ended - middle))
        del guard, plain
    notes: dict[str, Note] = {
        "ns of first_seen": round((middle - begun) / n),
        "ns of a set": round((ended - middle) / n),
    }
    tracemalloc.start()
    guard = ReplayGuard(window=300, maxsize=None)
    before, _ = tracemalloc.get_traced_memory()
    for key in keys:
        guard.first_seen(key)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return [
        Figure(
            f"ReplayGuard.first_seen, {n:,} keys",
            "`in` and `add` of a set",
            median(ratios),
            4.0,
            notes=notes,
        ),
        Figure(
            f"memory of a key, at {n:,}",
            "tracemalloc, without the key itself",
            (after - before) / n,
            150,
            "B",
        ),
    ]
