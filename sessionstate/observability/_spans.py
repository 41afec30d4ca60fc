"""
The spans: an opening, an end, and each step of the clean-up.

A session may last for hours, and a span is seen only when it ends; so a session is not a span. Its
end is the root of a trace of its own, as whatever began the session is long over, with a link to
the span of the opening.

The times of events are seconds of the supervisor's clock. A span begins at the wall clock's time,
and all that lies within it is measured from there by the supervisor's clock: a wall clock that is
set meanwhile makes no step negative.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time_ns
from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, Status, StatusCode, set_span_in_context

from sessionstate import CleanUpFailed, CleanUpStep, SessionClosing, SessionEnded, SessionOpened
from sessionstate._redaction import without_ids

from ._lines import counted, traceback

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext, Tracer
    from opentelemetry.util.types import AttributeValue

    from sessionstate import SessionEvent

ID: Final = "session.id"
PREVIOUS: Final = "session.previous_id"
INCARNATION: Final = "sessionstate.incarnation"
PREVIOUS_INCARNATION: Final = "sessionstate.previous_incarnation"
REASON: Final = "sessionstate.close.reason"
LIFETIME: Final = "sessionstate.session.lifetime"
ERRORS: Final = "sessionstate.close.errors"
WHERE: Final = "sessionstate.clean_up.where"
SUPERVISOR: Final = "sessionstate.supervisor"
RECENT: Final = 256
"""Ends that are remembered, so that the next life of the id can refer to its last one."""


class Closing:
    """The span of an end that is under way."""

    __slots__ = ("_at", "_began", "context", "counted", "span")

    def __init__(self, span: Span, began: int, at: float) -> None:
        self.span = span
        self.context = set_span_in_context(span, Context())
        self.counted: str | None = None
        """The step whose error has a span already."""
        self._began = began
        self._at = at

    def time(self, at: float) -> int:
        """Return the nanoseconds since the epoch of *at*, in seconds of the supervisor's clock."""
        return self._began + round((at - self._at) * 1e9)


class Spans:
    """
    An observer that makes spans. Of a session it keeps what its close has to refer to, until then.
    """

    def __init__(self, tracer: Tracer, name: str, shown: Callable[[str], str]) -> None:
        self._tracer = tracer
        self._name = name
        self._shown = shown
        self._opened: dict[int, SpanContext] = {}
        self._closing: dict[int, Closing] = {}
        self._recent: dict[str, tuple[int, SpanContext]] = {}

    def tell(self, event: SessionEvent) -> None:
        """Make of *event* what it is in a trace."""
        if isinstance(event, SessionOpened):
            self._open(event)
        elif isinstance(event, SessionClosing):
            self._begin(event)
        else:
            closing = self._closing.get(event.incarnation)
            if closing is None:  # it began before we looked, or is not sampled
                self._opened.pop(event.incarnation, None)
            elif isinstance(event, CleanUpStep):
                self._step(closing, event)
            elif isinstance(event, CleanUpFailed):
                self._failed(closing, event)
            elif isinstance(event, SessionEnded):  # pragma: no branch - there is no other
                self._end(closing, event)

    def close(self) -> None:
        """End what is under way: nothing more will be told of it."""
        for closing in self._closing.values():
            closing.span.end()
        self._closing.clear()
        self._opened.clear()
        self._recent.clear()

    def _about(self, event: SessionEvent) -> dict[str, AttributeValue]:
        return {
            SUPERVISOR: self._name,
            ID: self._shown(event.id),
            INCARNATION: event.incarnation,
        }

    def _open(self, event: SessionOpened) -> None:
        now = time_ns()
        about, links = self._about(event), list[Link]()
        previous = self._recent.pop(event.id, None)
        if previous is not None:
            about[PREVIOUS] = about[ID]
            about[PREVIOUS_INCARNATION] = previous[0]
            links.append(Link(previous[1]))
        span = self._tracer.start_span(
            "sessionstate.open",
            attributes=about,
            links=links,
            start_time=now - round(event.took * 1e9),
        )
        if span.is_recording():
            self._opened[event.incarnation] = span.get_span_context()
        span.end(now)

    def _begin(self, event: SessionClosing) -> None:
        opened = self._opened.pop(event.incarnation, None)
        now = time_ns()
        span = self._tracer.start_span(
            "sessionstate.close",
            context=Context(),
            attributes={**self._about(event), REASON: event.reason.value},
            links=[] if opened is None else [Link(opened)],
            start_time=now,
        )
        if span.is_recording():
            self._closing[event.incarnation] = Closing(span, now, event.at)

    def _step(self, closing: Closing, event: CleanUpStep) -> None:
        span = self._tracer.start_span(
            "sessionstate.clean_up",
            context=closing.context,
            attributes={**self._about(event), WHERE: self._text(event.where, event)},
            start_time=closing.time(event.at - event.took),
        )
        if event.error is not None:
            closing.counted = event.where
            self._record(span, event.error, event, closing)
        span.end(closing.time(event.at))

    def _failed(self, closing: Closing, event: CleanUpFailed) -> None:
        """Record an error of what is no step, such as a body that is stuck or an owned task."""
        counted, closing.counted = closing.counted, None
        if counted != event.where:
            self._record(closing.span, event.error, event, closing)

    def _end(self, closing: Closing, event: SessionEnded) -> None:
        del self._closing[event.incarnation]
        span = closing.span
        span.set_attributes({LIFETIME: event.lifetime, ERRORS: event.clean_up_errors})
        if event.clean_up_errors:
            span.set_status(
                Status(StatusCode.ERROR, counted(event.clean_up_errors, "clean-up error"))
            )
        self._recent.pop(event.id, None)
        if len(self._recent) >= RECENT:
            del self._recent[next(iter(self._recent))]
        self._recent[event.id] = event.incarnation, span.get_span_context()
        span.end(closing.time(event.at))

    def _record(
        self, span: Span, error: BaseException, event: SessionEvent, closing: Closing
    ) -> None:
        """Record *error* as the conventions have it, without ids that must not be shown."""
        text = self._text(f"{type(error).__qualname__}: {error}", event)
        span.set_status(Status(StatusCode.ERROR, text))
        span.add_event(
            "exception",
            {
                "exception.type": _name(type(error)),
                "exception.message": self._text(str(error), event),
                "exception.stacktrace": self._text(traceback(error), event),
            },
            closing.time(event.at),
        )

    def _text(self, text: str, event: SessionEvent) -> str:
        return without_ids(text, self._shown, event.id)


def _name(cls: type[BaseException]) -> str:
    return (
        cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    )
