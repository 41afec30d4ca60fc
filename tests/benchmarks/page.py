"""
What the live page takes of the loop, at many sessions: in all, and in one piece.

By itself: `python -m tests.benchmarks.page`. The clock is the thread's CPU time, around each of the
loop's callbacks; the collector is off, as in the other figures, for its pauses are the program's.
"""

import asyncio
import gc
from asyncio.events import Handle
from collections.abc import Iterator
from contextlib import contextmanager
from time import thread_time

from sessionstate import SessionMap, SessionVar, Supervisor
from sessionstate.dashboard._probe import Probe
from sessionstate.dashboard._source import Query
from tests.benchmarks.measure import Figure, Plan
from tests.benchmarks.report import show

LIVE = 100_000
SECONDS = 10
VIEWS = {
    "by age": Query(),
    "by time idle": Query(sort="idle"),
    "by entries": Query(sort="entries"),
    "a search": Query(search="-99"),
}


@contextmanager
def pieces() -> Iterator[list[float]]:
    """
    Give the seconds of each of the loop's callbacks inside of the block.
    """
    found: list[float] = []
    run = Handle._run

    def timed(self: Handle) -> None:
        began = thread_time()
        run(self)
        found.append(thread_time() - began)

    Handle._run = timed  # type: ignore[method-assign]
    try:
        yield found
    finally:
        Handle._run = run  # type: ignore[method-assign]


async def page(_: Plan) -> list[Figure]:
    """
    Let the page look, once a second, with each view of the table.
    """
    figures: list[Figure] = []
    async with Supervisor(default=False, max_sessions=None) as supervisor:
        agents = SessionMap[int]("agents", supervisor=supervisor)
        tools = SessionVar[dict[str, int]]("tools", factory=dict)
        for number in range(LIVE):
            session = await supervisor.open(f"session-{number}")
            agents[session.id] = number
            tools.get(session)
            session.callback(int)
        gc.collect()
        gc.disable()
        probe = Probe(supervisor)
        probe.start()
        while supervisor.survey is None:  # noqa: ASYNC110 - nothing tells of the first one
            await asyncio.sleep(0.1)
        for name, query in VIEWS.items():
            with pieces() as found:
                for _ in range(SECONDS):
                    await probe.sessions(query)
                    await asyncio.sleep(1)
            what = f"the page's updates at {LIVE:,} sessions, {name}"
            notes = {"callbacks": len(found), "over_2_ms": sum(each > 0.002 for each in found)}
            total = 1000 * sum(found) / SECONDS
            figures += [
                Figure(what, "loop's time each", total, 50, "ms", dict(notes)),
                Figure(what, "longest piece", 1000 * max(found), 2, "ms", dict(notes)),
            ]
        probe.stop()
        gc.enable()
    return figures


if __name__ == "__main__":
    show(asyncio.run(page(Plan())))
