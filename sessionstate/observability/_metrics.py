"""
The metrics: instruments, made once for each meter provider, which tell of several supervisors.

An asynchronous instrument cannot be unregistered, and a second one of the same name is not asked.
So there is one set, whose callbacks ask the readers that there are at the moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, Observation, get_meter

from sessionstate import __version__

from ._durations import CLOSING, LATENESS, LIFETIME, Duration, Durations
from ._figures import FIGURES
from ._readers import Readers
from ._reading import Reader, resident

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, MeterProvider

    from ._figures import Figure, Label

SUPERVISOR: Final = "sessionstate.supervisor"
ATTRIBUTES: Final[dict[Label | None, str]] = {
    "state": "sessionstate.session.state",
    "map": "sessionstate.map",
    "kind": "sessionstate.resource.kind",
    "reason": "sessionstate.close.reason",
    "cause": "sessionstate.eviction.cause",
}


class Meters:
    """The instruments of one meter provider."""

    def __init__(self, provider: MeterProvider | None) -> None:
        self.readers: Readers[Reader] = Readers()
        self._meter = meter = get_meter("sessionstate", __version__, provider)
        create = {
            "state": meter.create_observable_up_down_counter,
            "total": meter.create_observable_counter,
            "gauge": meter.create_observable_gauge,
        }
        for each in FIGURES:
            name = f"sessionstate.{each.otel}"
            create[each.type](name, [self._observing(each)], each.unit, each.text)
        meter.create_observable_up_down_counter(
            "sessionstate.memory.rss", [self._memory], "By", "Resident memory of the process."
        )
        self._lifetime = self._histogram(LIFETIME)
        self._closing = self._histogram(CLOSING)
        self._lateness = self._histogram(LATENESS)

    def durations(self, name: str) -> Durations:
        """Return the observer for the supervisor of this *name*."""
        attributes = {SUPERVISOR: name}

        def recording(histogram: Histogram) -> Callable[[float], None]:
            return lambda value: histogram.record(value, attributes)

        return Durations(
            recording(self._lifetime), recording(self._closing), recording(self._lateness)
        )

    def _histogram(self, duration: Duration) -> Histogram:
        return self._meter.create_histogram(
            f"sessionstate.{duration.otel}",
            "s",
            duration.text,
            explicit_bucket_boundaries_advisory=duration.bounds,
        )

    def _observing(self, figure: Figure) -> Callable[[CallbackOptions], Iterable[Observation]]:
        label = ATTRIBUTES.get(figure.label)

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(
                    value,
                    {SUPERVISOR: reader.name, **({} if label is None else {label: which})},
                )
                for reader, reading in self.readers.read()
                for which, value in figure.points(reading)
            ]

        return observe

    def _memory(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(resident())] if self.readers.read() else []


_meters: WeakKeyDictionary[MeterProvider, Meters] = WeakKeyDictionary()
_global: list[Meters] = []


def meters_of(default: MeterProvider, provider: MeterProvider | None) -> Meters:
    """Return the instruments of *provider*; None is the global one, whichever that will be."""
    given = default if provider is None else provider
    meters = _meters.get(given)
    if meters is not None:  # also if it became the global one since
        return meters
    if given is default:
        if not _global:
            _global.append(Meters(None))
        return _global[0]
    meters = _meters[given] = Meters(given)
    return meters
