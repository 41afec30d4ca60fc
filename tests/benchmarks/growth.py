"""
Cost per open and per expiry, from 1,000 to 1,000,000 sessions.

A dictionary gets dearer too as it outgrows the caches. So each cost is divided by its own at 1,000,
and then by the same quotient of a plain dictionary's insertion or deletion, in the same run.
"""

import asyncio
from statistics import median
from time import thread_time_ns

from sessionstate import SessionMap, Supervisor
from tests.benchmarks.measure import Figure, Note, Plan
from tests.benchmarks.million import (
    IDLE_TIMEOUT,
    WAKE,
    HeldClock,
    collector,
    make_ids,
    wake_later,
)

SMALLEST = 1_000
CHUNK = 1_000

Costs = dict[str, float]


async def growth(plan: Plan) -> list[Figure]:
    """
    Fill and drain at each size, the small ones many times, and compare the medians.
    """
    sizes = [size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= plan.sessions]
    rounds: dict[int, list[Costs]] = {size: [] for size in sizes}
    ids = make_ids(sizes[-1])
    with collector(enabled=False):
        for _ in range(3):
            for size in sizes:
                for _ in range(max(1, 30_000 // size)):
                    rounds[size].append(await fill_and_drain(ids[:size]))
    costs = {
        size: {name: median(one[name] for one in many) for name in many[0]}
        for size, many in rounds.items()
    }
    base = costs[SMALLEST]
    figures: list[Figure] = []
    for name, plain in (("open", "insert"), ("expire", "delete")):
        quotients = {
            size: (cost[name] / base[name]) / (cost[plain] / base[plain])
            for size, cost in costs.items()
        }
        notes: dict[str, Note] = {"clock": "controllable", "gc": "off"}
        for size, cost in costs.items():
            notes[f"{name}_ns_at_{size}"] = round(cost[name])
            notes[f"dict_{plain}_ns_at_{size}"] = round(cost[plain], 1)
            notes[f"growth_at_{size}"] = round(quotients[size], 3)
            notes[f"growth_undivided_at_{size}"] = round(cost[name] / base[name], 3)
        figures.append(
            Figure(
                f"cost per {name}, {SMALLEST:,} to {sizes[-1]:,}",
                f"itself at {SMALLEST:,}, over the growth of a dict's {plain}",
                max(quotients[size] for size in sizes[1:]),
                2.0,
                notes=notes,
            )
        )
    return figures


async def fill_and_drain(ids: list[str]) -> Costs:
    """
    Open all and expire all, and do the same to a plain dictionary, by turns; nanoseconds of each.
    """
    plain: dict[str, str] = {}
    spent: Costs = {}
    clock = HeldClock()
    async with Supervisor(
        max_sessions=len(ids) + 1, idle_timeout=IDLE_TIMEOUT, clock=clock
    ) as supervisor:
        agents = SessionMap[str]("agents")
        opening = inserting = deleting = 0
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            begun = thread_time_ns()
            for id in chunk:
                plain[id] = "agent"
            inserted = thread_time_ns()
            for id in chunk:
                await supervisor.open(id)
                agents[id] = "agent"
            opened = thread_time_ns()
            inserting += inserted - begun
            opening += opened - inserted
            await asyncio.sleep(0)

        await wake_later(supervisor, clock, IDLE_TIMEOUT * 2)
        begun = thread_time_ns()
        while len(supervisor):  # noqa: ASYNC110 - waiting must cost nothing
            await asyncio.sleep(WAKE * 2)
        expiring = thread_time_ns() - begun

        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            begun = thread_time_ns()
            for id in chunk:
                del plain[id]
            deleting += thread_time_ns() - begun

    for name, nanoseconds in (
        ("open", opening),
        ("expire", expiring),
        ("insert", inserting),
        ("delete", deleting),
    ):
        spent[name] = nanoseconds / len(ids)
    return spent
