"""
What a handler does at every message: `touch`, `agents[id]`, `SessionVar.get`.
"""

import random
import time
from collections.abc import Sequence
from contextvars import ContextVar

from sessionstate import SessionMap, SessionVar, Supervisor
from tests.benchmarks.measure import Comparison, Figure, Plan, compare
from tests.benchmarks.references import TTL, Touched

IDS = tuple(f"session-{number}" for number in range(1_000))
SEED = 7


async def touch(plan: Plan) -> list[Figure]:
    """
    `session.touch()` inside the session's block, the loop around it included on both sides.
    """
    async with Supervisor() as supervisor, supervisor.session("id", stall_timeout=300) as session:

        async def measured(repeats: int) -> None:
            held = session
            for _ in range(repeats):
                held.touch()

        async def reference(repeats: int) -> None:
            obj = Touched()
            ttl = TTL
            for _ in range(repeats):
                obj.deadline = time.monotonic() + ttl

        result = await compare(plan, measured, reference)
    return [
        Figure(
            "touch()",
            "obj.deadline = time.monotonic() + ttl",
            result.ratio,
            1.7,
            notes=result.notes(),
        ),
    ]


async def map_read(plan: Plan) -> list[Figure]:
    """
    `agents[id]` of 1,000 idle sessions in random order, with the loop subtracted on both sides.

    The notes tell what one hundred of them by turns cost, and one again and again: the fewer, the
    more of a dict read is in the innermost cache, and the higher is the ratio.
    """
    async with Supervisor() as supervisor:
        agents = SessionMap[str]("agents")
        plain: dict[str, str] = {}
        for id in IDS:
            await supervisor.open(id)
            agents[id] = plain[id] = "agent"
        shuffled = random.Random(SEED).sample(IDS, len(IDS))
        result = await compare_reads(plan, agents, plain, shuffled)
        notes = result.notes()
        for number, ids in ((1, shuffled[:1] * 100), (100, shuffled[:100])):
            other = await compare_reads(plan, agents, plain, ids)
            notes[f"ratio_without_loop_of_{number}_ids"] = round(other.ratio_alone, 3)
            notes[f"measured_ns_of_{number}_ids"] = round(other.measured_ns, 1)
            notes[f"reference_ns_of_{number}_ids"] = round(other.reference_ns, 1)
    return [Figure("agents[id], touch included", "dict read", result.ratio_alone, 9.0, notes=notes)]


async def compare_reads(
    plan: Plan, agents: SessionMap[str], plain: dict[str, str], ids: Sequence[str]
) -> Comparison:
    """
    Read each of *ids* by turns.
    """
    number = len(ids)

    async def measured(repeats: int) -> None:
        values = agents
        for _ in range(repeats // number):
            for id in ids:
                values[id]

    async def reference(repeats: int) -> None:
        values = plain
        for _ in range(repeats // number):
            for id in ids:
                values[id]

    async def overhead(repeats: int) -> None:
        for _ in range(repeats // number):
            for _id in ids:
                pass

    return await compare(plan, measured, reference, overhead=overhead)


async def var_get(plan: Plan) -> list[Figure]:
    """
    `SessionVar.get()` of a stored value inside a session's block, the loop included on both sides.
    """
    async with Supervisor() as supervisor, supervisor.session("id", stall_timeout=300):
        stored = SessionVar[str]("stored")
        stored.set("value")
        context = ContextVar[str]("context")
        context.set("value")

        async def measured(repeats: int) -> None:
            var = stored
            for _ in range(repeats):
                var.get()

        async def reference(repeats: int) -> None:
            var = context
            for _ in range(repeats):
                var.get()

        result = await compare(plan, measured, reference)
    return [Figure("SessionVar.get()", "ContextVar.get()", result.ratio, 6.0, notes=result.notes())]
