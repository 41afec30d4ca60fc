"""What is told of a supervisor: one table, from which every exporter takes its names and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from sessionstate import CloseReason

if TYPE_CHECKING:
    from ._reading import Reading

Label = Literal["state", "map", "kind", "reason", "cause"]
Point = tuple[str, float]
"""The value of the label, empty where there is none, and the figure."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric, but for those of durations."""

    type: Literal["state", "total", "gauge"]
    """Whether it goes up and down, only grows, or cannot be added up."""
    otel: str
    """Its name in OpenTelemetry, after ``sessionstate.``."""
    prometheus: str
    """Its name in Prometheus, after ``sessionstate_``."""
    unit: str
    """As UCUM writes it."""
    text: str
    points: Callable[[Reading], Iterable[Point]]
    label: Label | None = None


def _one(get: Callable[[Reading], float | None]) -> Callable[[Reading], Iterable[Point]]:
    def points(reading: Reading) -> Iterable[Point]:
        value = get(reading)
        return () if value is None else (("", value),)

    return points


def _sessions(reading: Reading) -> Iterator[Point]:
    figures = reading.statistics
    yield "held", figures.held
    yield "idle", figures.idle
    yield "closing", figures.closing


def _closed(reading: Reading) -> Iterator[Point]:
    for reason, number in reading.statistics.closed_by_reason.items():
        yield reason.value, number


def _evictions(reading: Reading) -> Iterator[Point]:
    ended = reading.statistics.closed_by_reason
    yield "room", ended[CloseReason.EVICTED]
    yield "memory", ended[CloseReason.SHED]


FIGURES: Final = (
    Figure("state", "sessions", "sessions", "{session}", "Sessions.", _sessions, "state"),
    Figure(
        "state",
        "sessions.orphaned",
        "orphaned_sessions",
        "{session}",
        "Sessions that should be gone.",
        _one(lambda reading: reading.orphans),
    ),
    Figure(
        "state",
        "sessions.unbounded",
        "unbounded_sessions",
        "{session}",
        "Held sessions without a limit: only their holder can end them.",
        _one(lambda reading: reading.unbounded),
    ),
    Figure(
        "state",
        "openings.waiting",
        "waiting_openings",
        "{opening}",
        "Openings that wait for room.",
        _one(lambda reading: reading.statistics.waiting),
    ),
    Figure(
        "state",
        "map.entries",
        "entries",
        "{entry}",
        "Values in a map, over all sessions.",
        lambda reading: ((name, each.entries) for name, each in reading.maps.items()),
        "map",
    ),
    Figure(
        "state",
        "map.orphans",
        "orphans",
        "{entry}",
        "Values in a map whose session should be gone.",
        lambda reading: ((name, each.orphans) for name, each in reading.maps.items()),
        "map",
    ),
    Figure(
        "state",
        "resources",
        "resources",
        "{resource}",
        "What sessions own.",
        lambda reading: reading.resources.items(),
        "kind",
    ),
    Figure(
        "state",
        "leaks",
        "leaks",
        "{leak}",
        "What the leak report judges to leak.",
        _one(lambda reading: reading.leaks),
    ),
    Figure(
        "gauge",
        "leak.slope",
        "leak_slope_per_1000",
        "{entry}/{1000_requests}",
        "Growth of a map, in values per 1000 requests.",
        lambda reading: reading.slopes.items(),
        "map",
    ),
    Figure(
        "gauge",
        "reading.age",
        "reading_age_seconds",
        "s",
        "How old these figures are: more than a moment while the loop stands still.",
        _one(lambda reading: reading.age),
    ),
    Figure(
        "total",
        "sessions.opened",
        "opened",
        "{session}",
        "Sessions that were opened.",
        _one(lambda reading: reading.statistics.opened),
    ),
    Figure(
        "total",
        "sessions.closed",
        "closed",
        "{session}",
        "Sessions whose end was decided.",
        _closed,
        "reason",
    ),
    Figure(
        "total",
        "evictions",
        "evictions",
        "{session}",
        "Sessions ended to make room, or to free memory.",
        _evictions,
        "cause",
    ),
    Figure(
        "total",
        "openings.refused",
        "refused",
        "{opening}",
        "Openings refused because there was no room.",
        _one(lambda reading: reading.statistics.refused),
    ),
    Figure(
        "total",
        "close.errors",
        "close_errors",
        "{error}",
        "Errors of clean-up steps.",
        _one(lambda reading: reading.statistics.clean_up_errors),
    ),
    Figure(
        "total",
        "close.stuck",
        "stuck",
        "{block}",
        "Blocks still inside when the clean-up went on without them.",
        _one(lambda reading: reading.statistics.stuck),
    ),
    Figure(
        "total",
        "close.abandoned",
        "abandoned",
        "{step}",
        "Clean-up steps that did not end when they were cancelled.",
        _one(lambda reading: reading.statistics.abandoned),
    ),
    Figure(
        "total",
        "expiry.errors",
        "expiry_errors",
        "{error}",
        "Errors in the supervisor's own work, each survived.",
        _one(lambda reading: reading.statistics.expiry_errors),
    ),
    Figure(
        "total",
        "events.dropped",
        "dropped_events",
        "{event}",
        "Events that slow readers of a stream did not get.",
        _one(lambda reading: reading.statistics.dropped_events),
    ),
    Figure(
        "total",
        "requests",
        "requests",
        "{request}",
        "Requests that were counted.",
        _one(lambda reading: reading.requests),
    ),
)
