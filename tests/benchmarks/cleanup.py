"""
Async clean-up: a session with one async callback, and one with one hosted context manager.
"""

import asyncio

from sessionstate import Supervisor
from tests.benchmarks.measure import Figure, Plan, compare
from tests.benchmarks.references import Nothing, nothing_async

REFERENCE = "await asyncio.create_task(noop())"


async def task(repeats: int) -> None:
    """
    The reference of both.
    """
    for _ in range(repeats):
        await asyncio.create_task(nothing_async())


async def async_callback(plan: Plan) -> list[Figure]:
    """
    A whole session with one async callback.
    """
    async with Supervisor() as supervisor:

        async def measured(repeats: int) -> None:
            for _ in range(repeats):
                async with supervisor.session("id") as session:
                    session.push_async_callback(nothing_async)

        result = await compare(plan, measured, task)
    return [
        Figure(
            "session with one async callback", REFERENCE, result.ratio, 5.0, notes=result.notes()
        )
    ]


async def async_cm(plan: Plan) -> list[Figure]:
    """
    A whole session with one async context manager, which lives in a task of its own.
    """
    async with Supervisor() as supervisor:

        async def measured(repeats: int) -> None:
            for _ in range(repeats):
                async with supervisor.session("id") as session:
                    await session.enter_async_context(Nothing())

        result = await compare(plan, measured, task)
    return [
        Figure(
            "session with one async CM hosted", REFERENCE, result.ratio, 7.0, notes=result.notes()
        )
    ]
