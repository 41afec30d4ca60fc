"""
A collector for prometheus_client. It needs the extra ``sessionstate[prometheus]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, cast

try:
    from prometheus_client import REGISTRY
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )
except ImportError as _error:
    raise ImportError(
        "sessionstate.observability.prometheus needs 'prometheus_client': "
        "pip install 'sessionstate[prometheus]'",
        name="prometheus_client",
    ) from _error

from sessionstate import Supervisor

from ._attachment import Attachment
from ._durations import CLOSING, LATENESS, LIFETIME, Durations, Histogram
from ._figures import FIGURES
from ._readers import Readers
from ._reading import Reader, resident

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from ._reading import Reading

__all__ = ["SessionstateCollector"]

SUPERVISOR: Final = "supervisor"

FAMILIES: Final[dict[str, type[GaugeMetricFamily | CounterMetricFamily]]] = {
    "state": GaugeMetricFamily,
    "gauge": GaugeMetricFamily,
    "total": CounterMetricFamily,
}
DURATIONS: Final = (LIFETIME, CLOSING, LATENESS)


class Source(Reader):
    """
    A reader, with the histograms of its supervisor.
    """

    def __init__(self, supervisor: Supervisor, max_names: int, survey_every: float | None) -> None:
        super().__init__(supervisor, max_names, survey_every)
        self.histograms: list[Histogram] = [Histogram(duration) for duration in DURATIONS]
        lifetime, closing, lateness = self.histograms
        self.durations: Durations = Durations(lifetime.add, closing.add, lateness.add)


class SessionstateCollector:
    """
    Tells Prometheus of supervisors: ``REGISTRY.register(SessionstateCollector(supervisor))``.

    A scrape may come in any thread, and never walks sessions: the loop takes the figures when it is
    asked to. It keeps no supervisor alive, and no id is ever a label.

    Args:
        supervisors: One or several, each with a name of its own.
        max_names: How many maps have series of their own, the first ones; all others together are
            called ``other``. The same for kinds of resources.
        survey_every: Seconds between two counts of all sessions, which maps and orphans need; None
            for no counts but those that somebody else asks for.

    Raises:
        ValueError: If two supervisors have the same name.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        supervisors: Supervisor | Sequence[Supervisor],
        *,
        max_names: int = 100,
        survey_every: float | None = 10.0,
    ) -> None:
        self._readers: Readers[Source] = Readers()
        self._registry: CollectorRegistry | None = None
        self._options = max_names, survey_every
        given = [supervisors] if isinstance(supervisors, Supervisor) else supervisors
        if not isinstance(cast("object", given), Iterable):
            raise TypeError(f"a collector tells of a Supervisor, or of several, not {given!r}")
        self._attachments = [self.add(supervisor) for supervisor in given]

    def add(self, supervisor: Supervisor) -> Attachment:
        """
        Tell of one more supervisor.

        Returns:
            A handle with ``cancel()``.

        Raises:
            ValueError: If another one that was not left yet has this name.
        """
        source = Source(supervisor, *self._options)
        self._readers.add(source)
        observation = supervisor.observe(source.durations.tell)
        return Attachment(observation.cancel, lambda: self._readers.remove(source))

    def register(self, registry: CollectorRegistry = REGISTRY) -> SessionstateCollector:
        """
        Register with *registry*, by default the global one, and return itself.
        """
        registry.register(self)
        self._registry = registry
        return self

    def cancel(self) -> bool:
        """
        Tell of nothing any more, and unregister where `register` did register.

        Returns:
            True if there was something to be told; False if this was cancelled before.
        """
        registry, self._registry = self._registry, None
        if registry is not None:
            registry.unregister(self)
        attachments, self._attachments = self._attachments, []
        return sum(attachment.cancel() for attachment in attachments) > 0

    def describe(self) -> Iterator[Metric]:
        """
        Yield the metrics without their samples: registering scrapes nothing.
        """
        return self._families([], memory=False)

    def collect(self) -> Iterator[Metric]:
        """
        Yield the metrics.
        """
        return self._families(self._readers.read(), memory=True)

    def _families(
        self, readings: Sequence[tuple[Source, Reading]], *, memory: bool
    ) -> Iterator[Metric]:
        for figure in FIGURES:
            labels = [SUPERVISOR] if figure.label is None else [SUPERVISOR, figure.label]
            family = FAMILIES[figure.type](
                f"sessionstate_{figure.prometheus}", figure.text, labels=labels
            )
            for source, reading in readings:
                for which, number in figure.points(reading):
                    family.add_metric([source.name, which][: len(labels)], number)
            yield family
        for index, duration in enumerate(DURATIONS):
            durations = HistogramMetricFamily(
                f"sessionstate_{duration.prometheus}", duration.text, labels=[SUPERVISOR]
            )
            for source, _ in readings:
                histogram = source.histograms[index]
                durations.add_metric([source.name], histogram.buckets(), histogram.total)
            yield durations
        process = GaugeMetricFamily(
            "sessionstate_resident_memory_bytes", "Resident memory of the process."
        )
        if memory:
            process.add_metric([], resident())
        yield process
