"""
Memory of an idle session with one map entry.
"""

import gc
import sys
import tracemalloc
from pathlib import Path

from sessionstate import SessionMap, Supervisor
from tests.benchmarks.measure import Figure, Plan


async def memory(plan: Plan) -> list[Figure]:
    """
    Count what tracemalloc sees for each session, its id counted, its value not.
    """
    number = plan.sessions
    async with Supervisor(max_sessions=number) as supervisor:
        agents = SessionMap[str]("agents")
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            id = ""
            before, _ = tracemalloc.get_traced_memory()
            for index in range(number):
                id = f"session-{index}"
                await supervisor.open(id)
                agents[id] = "agent"
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
            if plan.profile:
                show_lines(number)
            id_bytes = sys.getsizeof(id)
        finally:
            tracemalloc.stop()
            gc.enable()
        live = len(supervisor)
    return [
        Figure(
            f"memory of an idle session with one map entry, at {number:,}",
            "tracemalloc",
            (after - before) / number,
            700,
            "B",
            {"live": live, "id_object_bytes": id_bytes},
        ),
    ]


def show_lines(number: int) -> None:
    """
    Print which lines the bytes of a session come from.
    """
    lines = tracemalloc.take_snapshot().statistics("lineno")
    for line in lines[:15]:
        frame = line.traceback[0]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        print(f"{line.size / number:8.1f} B  {line.count / number:5.2f}  {place}", file=sys.stderr)
