"""
What OpenTelemetry was told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "sessionstate.supervisor"


class Telling:
    """
    A meter provider, and what it was told.
    """

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)

    def metrics(self) -> dict[str, Any]:
        """
        Collect, and return the metrics by name.
        """
        data = self._reader.get_metrics_data()
        return {
            metric.name: metric
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.data.data_points
        }

    def points(self, name: str, *, of: str = "sessionstate") -> dict[str, float]:
        """
        Collect, and return the points of a metric of one supervisor, by their other attribute.
        """
        found = self.metrics().get(f"sessionstate.{name}")
        return {
            next((str(value) for key, value in point.attributes.items() if key != NAME), ""): (
                point.value
            )
            for point in (found.data.data_points if found is not None else ())
            if point.attributes.get(NAME, of) == of
        }

    def times(self, name: str) -> tuple[int, float, list[int], tuple[float, ...]]:
        """
        Collect, and return count, sum, buckets and bounds of a histogram.
        """
        (point,) = self.metrics()[f"sessionstate.{name}"].data.data_points
        return point.count, point.sum, list(point.bucket_counts), tuple(point.explicit_bounds)


@pytest.fixture
def told() -> Iterator[Telling]:
    """
    Give a meter provider, and what it was told.
    """
    telling = Telling()
    yield telling
    telling.provider.shutdown()
