"""
Entering and leaving: `session`, `session` with a callback, `attach`.
"""

from sessionstate import Supervisor
from tests.benchmarks.measure import Figure, Plan, compare
from tests.benchmarks.references import ByHand, forget_closed, nothing

REFERENCE = "hand-written async CM: dict insert, heap push, closed on exit"


async def by_hand(repeats: int) -> None:
    """
    The reference of all three.
    """
    for _ in range(repeats):
        async with ByHand("id"):
            pass


async def session(plan: Plan) -> list[Figure]:
    """
    An interruptible session that holds nothing: explicit id, defaults, opening site recorded.
    """
    async with Supervisor() as supervisor:

        async def measured(repeats: int) -> None:
            for _ in range(repeats):
                async with supervisor.session("id"):
                    pass

        result = await compare(plan, measured, by_hand, between=forget_closed)
    return [
        Figure(
            "enter + exit of an empty session", REFERENCE, result.ratio, 4.0, notes=result.notes()
        )
    ]


async def callback(plan: Plan) -> list[Figure]:
    """
    The same with one sync callback.
    """
    async with Supervisor() as supervisor:

        async def measured(repeats: int) -> None:
            for _ in range(repeats):
                async with supervisor.session("id") as session:
                    session.callback(nothing)

        result = await compare(plan, measured, by_hand, between=forget_closed)
    return [
        Figure(
            "the same with one sync callback", REFERENCE, result.ratio, 5.5, notes=result.notes()
        )
    ]


async def attach(plan: Plan) -> list[Figure]:
    """
    A visitor of a live session that nobody else holds.
    """
    async with Supervisor() as supervisor:
        await supervisor.open("id")

        async def measured(repeats: int) -> None:
            for _ in range(repeats):
                async with supervisor.attach("id"):
                    pass

        result = await compare(plan, measured, by_hand, between=forget_closed)
    return [
        Figure(
            "attach to a live session, enter + exit",
            REFERENCE,
            result.ratio,
            3.0,
            notes=result.notes(),
        )
    ]
