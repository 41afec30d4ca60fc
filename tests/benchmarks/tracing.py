"""
What leak detection adds to a session that holds nothing.
"""

from sessionstate import LeakDetection, Supervisor
from tests.benchmarks.measure import Figure, Plan, compare


async def tracing(plan: Plan) -> list[Figure]:
    """
    The same block in two supervisors: one that samples, and one that does not.
    """
    figures: list[Figure] = []
    for level, bound in ((LeakDetection.SIMPLE, 1.03), (LeakDetection.ADVANCED, 1.1)):
        async with (
            Supervisor(default=False, leak_detection=level) as sampling,
            Supervisor(default=False, leak_detection=LeakDetection.DISABLED) as plain,
        ):

            async def measured(repeats: int, supervisor: Supervisor = sampling) -> None:
                for _ in range(repeats):
                    async with supervisor.session("id"):
                        pass

            async def reference(repeats: int, supervisor: Supervisor = plain) -> None:
                for _ in range(repeats):
                    async with supervisor.session("id"):
                        pass

            result = await compare(plan, measured, reference)
        figures.append(
            Figure(
                f"enter + exit with leak_detection={level.value!r}",
                "the same, disabled",
                result.ratio_alone,
                bound,
                notes=result.notes(),
            )
        )
    return figures
