"""
The longest wait of a heartbeat task while all sessions expire at once.

A controllable clock (`Supervisor(clock=)`) stands still while they are opened, so that all have one
deadline; then it jumps beyond it. Before that, the same with all of them touched: a storm of
re-arms.
"""

import asyncio
from time import thread_time_ns

from sessionstate import SessionMap, Supervisor
from tests.benchmarks.measure import Figure, Note, Plan
from tests.benchmarks.million import (
    IDLE_TIMEOUT,
    Heartbeat,
    HeldClock,
    collector,
    fill,
    make_ids,
    wake_later,
)


async def storm(plan: Plan) -> list[Figure]:
    """
    Measure with the cyclic collector off and on; the verdict is of the former.
    """
    notes: dict[str, Note] = {"clock": "controllable", "idle_timeout": IDLE_TIMEOUT}
    p99 = 0.0
    for enabled in (False, True):
        with collector(enabled=enabled):
            results = await one_storm(plan.sessions)
        mode = "gc" if enabled else "no_gc"
        if not enabled:
            p99 = float(results["expire_cpu_p99_ms"])
        notes.update({f"{mode}_{name}": value for name, value in results.items()})
    return [
        Figure(
            f"{plan.sessions:,} expiring at once: a heartbeat's gap, p99",
            "thread CPU time, gc off",
            p99,
            2.0,
            "ms",
            notes,
        ),
    ]


async def one_storm(number: int) -> dict[str, Note]:
    """
    Open all, touch all and let them come up early, then let all expire.
    """
    results: dict[str, Note] = {}
    clock = HeldClock()
    async with Supervisor(
        max_sessions=number + 1, idle_timeout=IDLE_TIMEOUT, clock=clock
    ) as supervisor:
        agents = SessionMap[str]("agents")
        ids = make_ids(number)
        await fill(supervisor, agents, ids)

        clock.jump(IDLE_TIMEOUT / 2)
        clock.hold()
        for session in supervisor.values():
            session.touch()
        await wake_later(supervisor, clock, IDLE_TIMEOUT * 0.6)
        await beat(results, "rearm", supervisor, until_quiet=True)
        results["live_after_rearm"] = len(supervisor)

        clock.hold()
        await wake_later(supervisor, clock, IDLE_TIMEOUT * 2)
        await beat(results, "expire", supervisor, until_quiet=False)
        results["left"] = len(supervisor)
    return results


async def beat(
    results: dict[str, Note], name: str, supervisor: Supervisor, *, until_quiet: bool
) -> None:
    """
    Run a heartbeat until nobody is left, or until the loop has been quiet for a second.
    """
    heart = Heartbeat()
    begun = thread_time_ns()
    live = len(supervisor)
    task = asyncio.create_task(heart.run())
    beats = 0
    while len(supervisor) if not until_quiet else beats < 50:
        await asyncio.sleep(0.02)
        beats = 0 if heart.cpu and max(heart.cpu[-200:]) > 200_000 else beats + 1
    spent = thread_time_ns() - begun
    heart.stop()
    await task
    results.update({f"{name}_{key}": value for key, value in heart.summary().items()})
    worked = sum(gap for gap in heart.cpu if gap > 50_000)
    results[f"{name}_us_each"] = round(worked / 1e3 / max(1, live), 3)
    results[f"{name}_cpu_s"] = round(spent / 1e9, 3)
