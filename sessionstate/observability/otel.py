"""
Metrics and spans by OpenTelemetry. It needs the extra ``sessionstate[otel]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    from opentelemetry import metrics, trace
except ImportError as _error:
    raise ImportError(
        "sessionstate.observability.otel needs 'opentelemetry': pip install 'sessionstate[otel]'",
        name="opentelemetry",
    ) from _error

from sessionstate import __version__
from sessionstate._redaction import Redact, redaction

from ._attachment import Attachment
from ._metrics import meters_of
from ._reading import Reader
from ._spans import Spans

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from sessionstate import Supervisor

__all__ = ["instrument"]


def instrument(
    supervisor: Supervisor,
    *,
    meter_provider: MeterProvider | None = None,
    tracer_provider: TracerProvider | None = None,
    redact: Redact | None = None,
    spans: bool = True,
    max_names: int = 100,
    survey_every: float | None = 10.0,
) -> Attachment:
    """
    Tell OpenTelemetry of a supervisor: figures as metrics, openings and ends as spans.

    No id is ever an attribute of a metric. A span ``sessionstate.open`` covers what an opening
    waited for, within the span of whoever opened it. A span ``sessionstate.close`` covers the
    clean-up, with one ``sessionstate.clean_up`` inside for each step; it is the root of its own
    trace, linked to the opening.

    Args:
        supervisor: Whose figures. Where there are several, each needs a name of its own.
        meter_provider: Where metrics go. Default: the global one, also if it is set later.
        tracer_provider: Where spans go, likewise.
        redact: What spans show of an id, as in `log_events`.
        spans: Whether there are spans.
        max_names: How many maps have series of their own, the first ones; all others together are
            called ``other``. The same for kinds of resources.
        survey_every: Seconds between two counts of all sessions, which maps and orphans need; None
            for no counts but those that somebody else asks for.

    Returns:
        A handle with ``cancel()``: from then on nothing is told.

    Raises:
        ValueError: If the meter provider is told of a running supervisor of the same name already.

    .. versionadded:: 0.1
    """
    shown = redaction(redact)
    reader = Reader(supervisor, max_names, survey_every)
    meters = meters_of(metrics.get_meter_provider(), meter_provider)
    meters.readers.add(reader)
    durations = supervisor.observe(meters.durations(reader.name).tell)
    ends = [durations.cancel, lambda: meters.readers.remove(reader)]
    if spans:
        tracer = trace.get_tracer("sessionstate", __version__, tracer_provider)
        watch = Spans(tracer, supervisor.name, shown)
        ends += [supervisor.observe(watch.tell).cancel, watch.close]
    return Attachment(*ends)
