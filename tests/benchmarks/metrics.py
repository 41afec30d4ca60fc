"""
What metrics and traces add to a session that holds nothing, and how long a scrape takes.

By itself: `python -m tests.benchmarks.metrics`.
"""

import asyncio
from collections.abc import Callable
from statistics import median, quantiles
from time import perf_counter_ns

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry, generate_latest

from sessionstate import SessionMap, Supervisor
from sessionstate.observability import log_events
from sessionstate.observability.otel import instrument
from sessionstate.observability.prometheus import SessionstateCollector
from tests.benchmarks.measure import Figure, Plan, compare
from tests.benchmarks.report import show

LIVE = 100_000
SCRAPES = 50


def collect(supervisor: Supervisor) -> None:
    """
    Have Prometheus collect, without surveys, which cost sessions nothing.
    """
    SessionstateCollector(supervisor, survey_every=None)


def meter(supervisor: Supervisor) -> None:
    """
    Have OpenTelemetry collect.
    """
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    instrument(supervisor, meter_provider=meters, spans=False, survey_every=None)


def trace(supervisor: Supervisor) -> None:
    """
    Have OpenTelemetry make spans, and drop them.
    """
    meters = MeterProvider(shutdown_on_exit=False)
    tracers = TracerProvider(shutdown_on_exit=False)
    instrument(supervisor, meter_provider=meters, tracer_provider=tracers, survey_every=None)


WATCHES: dict[str, tuple[Callable[[Supervisor], object], float]] = {
    "a Prometheus collector": (collect, 8.0),
    "a log of events": (log_events, 8.0),
    "OpenTelemetry's metrics": (meter, 25.0),
    "OpenTelemetry's metrics and spans": (trace, 100.0),
}


async def metrics(plan: Plan) -> list[Figure]:
    """
    The same block in two supervisors, of which one is watched; and scrapes of many sessions.
    """
    figures: list[Figure] = []
    for name, (watch, bound) in WATCHES.items():
        async with Supervisor(default=False) as watched, Supervisor(default=False) as plain:
            watch(watched)

            async def measured(repeats: int, supervisor: Supervisor = watched) -> None:
                for _ in range(repeats):
                    async with supervisor.session("id"):
                        pass

            async def reference(repeats: int, supervisor: Supervisor = plain) -> None:
                for _ in range(repeats):
                    async with supervisor.session("id"):
                        pass

            result = await compare(plan, measured, reference)
        what = f"enter + exit with {name}"
        reference_ = "the same, unwatched"
        figures.append(Figure(what, reference_, result.ratio_alone, bound, notes=result.notes()))
    return [*figures, *await scrapes()]


async def scrapes() -> list[Figure]:
    """
    Scrape a supervisor with many sessions and ten maps, from the loop and from another thread.
    """
    figures: list[Figure] = []
    async with Supervisor(default=False, max_sessions=None) as supervisor:
        maps = [SessionMap[int](f"map {n}", supervisor=supervisor) for n in range(10)]
        for number in range(LIVE):
            await supervisor.open(str(number))
            maps[number % 10][str(number)] = number
        registry = CollectorRegistry()
        registry.register(SessionstateCollector(supervisor, survey_every=0.5))
        while supervisor.survey is None:  # noqa: ASYNC110 - nothing tells of the first one
            await asyncio.sleep(0.1)

        def scrape() -> int:
            begun = perf_counter_ns()
            generate_latest(registry)
            return perf_counter_ns() - begun

        for where in ("the loop", "another thread"):
            took: list[int] = []
            for _ in range(SCRAPES):
                await asyncio.sleep(0.06)  # so that each has to ask the loop
                took.append(scrape() if where == "the loop" else await asyncio.to_thread(scrape))
            figures.append(
                Figure(
                    f"a scrape in {where}, {LIVE:,} live",
                    "median wall time",
                    median(took) / 1e6,
                    20.0,
                    "ms",
                    {"p98_ms": round(quantiles(took, n=50)[-1] / 1e6, 2), "scrapes": SCRAPES},
                )
            )
    return figures


if __name__ == "__main__":
    show(asyncio.run(metrics(Plan(rounds=60))))
