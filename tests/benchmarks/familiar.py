"""
Entering and leaving a session beside the blocks that everybody knows, by turns in one process.
"""

import asyncio
import gc
from collections.abc import Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from time import thread_time_ns
from typing import TYPE_CHECKING

import anyio

from sessionstate import LeakDetection, Supervisor
from tests.benchmarks.measure import WARM, Figure, Note, Plan, Work, empty_loop
from tests.benchmarks.references import ByHand, forget_closed, nothing, nothing_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REPEATS = 200
SESSION = "session(id)"
CALLBACK = "session(id), one callback"
ATTACH = "attach(id) to a live session"
ASYNC = "session(id), one async callback"
PARANOID = 'session(id), leak_detection="paranoid"'
BY_HAND = "a class by hand: dict, heap"
STACK = "AsyncExitStack, empty"
STACK_CALLBACK = "AsyncExitStack, one callback"
STACK_ASYNC = "AsyncExitStack, one async callback"
GENERATOR = "@asynccontextmanager"
TASK = "await create_task(...)"
GROUP = "asyncio.TaskGroup, empty"
GROUP_TASK = "asyncio.TaskGroup, one task"
TIMEOUT = "asyncio.timeout(1800)"
SCOPE = "anyio.CancelScope(deadline=...)"
ANYIO_GROUP = "anyio task group, empty"

BOUNDS = (
    (SESSION, TIMEOUT, 1.0),
    (SESSION, GROUP, 2.0),
    (SESSION, STACK, 2.0),
    (CALLBACK, STACK_CALLBACK, 2.0),
    (ASYNC, GROUP_TASK, 1.0),
)
"""What is compared, and how much dearer the first may be than the second."""


@asynccontextmanager
async def generated() -> "AsyncIterator[None]":
    """
    Do nothing, as a generator.
    """
    yield


def known() -> dict[str, Work]:
    """
    The blocks of the standard library and of anyio.
    """

    async def by_hand(repeats: int) -> None:
        for _ in range(repeats):
            async with ByHand("id"):
                pass

    async def stack(repeats: int) -> None:
        for _ in range(repeats):
            async with AsyncExitStack():
                pass

    async def stack_callback(repeats: int) -> None:
        for _ in range(repeats):
            async with AsyncExitStack() as exits:
                exits.callback(nothing)

    async def stack_async(repeats: int) -> None:
        for _ in range(repeats):
            async with AsyncExitStack() as exits:
                exits.push_async_callback(nothing_async)

    async def generator(repeats: int) -> None:
        for _ in range(repeats):
            async with generated():
                pass

    async def task(repeats: int) -> None:
        for _ in range(repeats):
            await asyncio.create_task(nothing_async())

    async def group(repeats: int) -> None:
        for _ in range(repeats):
            async with asyncio.TaskGroup():
                pass

    async def group_task(repeats: int) -> None:
        for _ in range(repeats):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(nothing_async())

    async def timeout(repeats: int) -> None:
        for _ in range(repeats):
            async with asyncio.timeout(1800):  # noqa: ASYNC100 - what it costs, not what it does
                pass

    async def scope(repeats: int) -> None:
        deadline = anyio.current_time() + 1800
        for _ in range(repeats):
            with anyio.CancelScope(deadline=deadline):  # noqa: ASYNC100 - the same
                pass

    async def anyio_group(repeats: int) -> None:
        for _ in range(repeats):
            async with anyio.create_task_group():
                pass

    return {
        BY_HAND: by_hand,
        STACK: stack,
        STACK_CALLBACK: stack_callback,
        STACK_ASYNC: stack_async,
        GENERATOR: generator,
        TASK: task,
        GROUP: group,
        GROUP_TASK: group_task,
        TIMEOUT: timeout,
        SCOPE: scope,
        ANYIO_GROUP: anyio_group,
    }


def ours(supervisor: Supervisor, paranoid: Supervisor) -> dict[str, Work]:
    """
    The blocks of sessions.
    """

    async def session(repeats: int) -> None:
        for _ in range(repeats):
            async with supervisor.session("id"):
                pass

    async def callback(repeats: int) -> None:
        for _ in range(repeats):
            async with supervisor.session("id") as session:
                session.callback(nothing)

    async def attach(repeats: int) -> None:
        for _ in range(repeats):
            async with supervisor.attach("live"):
                pass

    async def async_callback(repeats: int) -> None:
        for _ in range(repeats):
            async with supervisor.session("id") as session:
                session.push_async_callback(nothing_async)

    async def traced(repeats: int) -> None:
        for _ in range(repeats):
            async with paranoid.session("id"):
                pass

    return {
        SESSION: session,
        CALLBACK: callback,
        ATTACH: attach,
        ASYNC: async_callback,
        PARANOID: traced,
    }


async def familiar(plan: Plan) -> list[Figure]:
    """
    All of them in each round, and the medians of the rounds' ratios.
    """
    async with (
        Supervisor(default=False) as supervisor,
        Supervisor(default=False, leak_detection=LeakDetection.PARANOID) as paranoid,
    ):
        await supervisor.open("live")
        works = {**ours(supervisor, paranoid), **known()}
        spent = await by_turns(plan, works)
    notes: dict[str, Note] = {
        f"ns of {name}": round(median(rounds) / REPEATS, 1) for name, rounds in spent.items()
    }
    return [
        Figure(
            measured,
            reference,
            median(a / b for a, b in zip(spent[measured], spent[reference], strict=True)),
            bound,
            notes=notes,
        )
        for measured, reference, bound in BOUNDS
    ]


async def by_turns(plan: Plan, works: Mapping[str, Work]) -> dict[str, list[float]]:
    """
    Run each of *works* in each round; the nanoseconds of each round, without the loop around.
    """
    for work in works.values():
        await work(WARM)
    spent: dict[str, list[float]] = {name: [] for name in works}
    gc.collect()
    if not plan.gc:
        gc.disable()
    try:
        for number in range(plan.rounds):
            loop = await timed(empty_loop)
            for name, work in works.items():
                spent[name].append(await timed(work) - loop)
            forget_closed()
            if number % 10 == 9:
                gc.collect()
    finally:
        gc.enable()
    return spent


async def timed(work: Work) -> float:
    """
    Tell the CPU nanoseconds that `REPEATS` of *work* take.
    """
    begun = thread_time_ns()
    await work(REPEATS)
    return float(thread_time_ns() - begun)
