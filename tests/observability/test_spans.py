from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import CloseReason, Supervisor

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode

from sessionstate.observability import _spans
from sessionstate.observability.otel import instrument

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time

CHAT = "3f2c9a7e-chat-of-somebody"
SECOND = 10**9


class Traced:
    """
    A tracer provider, and the spans that ended.
    """

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def spans(self) -> list[ReadableSpan]:
        """
        Return the spans that ended since the last look.
        """
        found = list(self.exporter.get_finished_spans())
        self.exporter.clear()
        return found

    def attach(self, supervisor: Supervisor, **options: Any) -> Callable[[], bool]:
        """
        Trace *supervisor*, and return what ends that.
        """
        meters = NoOpMeterProvider()
        options = {"meter_provider": meters, "survey_every": None, **options}
        return instrument(supervisor, tracer_provider=self.provider, **options).cancel


@pytest.fixture
def traced() -> Traced:
    """
    Give a tracer provider, and the spans that ended.
    """
    return Traced()


def seconds(span: ReadableSpan) -> float:
    """
    How long a span took.
    """
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / SECOND


class TestOpening:
    async def test_child_of_whoever_opens(self, supervisor: Supervisor, traced: Traced) -> None:
        """
        The span of an opening lies within the one that is current where the session is opened.
        """
        traced.attach(supervisor)
        with traced.provider.get_tracer("test").start_as_current_span("request") as request:
            await supervisor.open(CHAT)
        opened, _ = traced.spans()
        assert opened.name == "sessionstate.open"
        assert opened.parent == request.get_span_context()
        assert opened.attributes == {
            "sessionstate.supervisor": "sessionstate",
            "session.id": "3f2c9a7e…",
            "sessionstate.incarnation": 1,
        }
        assert opened.status.status_code is StatusCode.UNSET

    async def test_covers_what_it_waited_for(
        self, start_supervisor: StartSupervisor, traced: Traced, clock: VirtualClock
    ) -> None:
        """
        The span begins when the opening began to wait for room, and ends now.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full="wait")
        traced.attach(supervisor)
        block = supervisor.session("a")
        await block.__aenter__()
        waiting = asyncio.create_task(supervisor.open("b"))
        await clock.advance(3)
        await block.__aexit__(None, None, None)
        before = time.time_ns()
        await waiting
        opened = [span for span in traced.spans() if span.name == "sessionstate.open"]
        assert seconds(opened[0]) == 0
        assert seconds(opened[1]) == 3
        assert opened[1].end_time is not None
        assert before - 60 * SECOND < opened[1].end_time <= time.time_ns()

    async def test_next_life(
        self, supervisor: Supervisor, traced: Traced, clock: VirtualClock
    ) -> None:
        """
        A new life of an id names the last one, and is linked to its end.
        """
        traced.attach(supervisor)
        s = await supervisor.open("a")
        s.push_async_callback(asyncio.sleep, 2)
        supervisor.close_soon("a")
        await supervisor.open("a")
        await supervisor.open("b")
        first, _, close, again, other = traced.spans()
        assert again.attributes is not None
        assert again.attributes["session.previous_id"] == "a"
        assert again.attributes["sessionstate.previous_incarnation"] == 1
        assert again.links[0].context == close.context
        assert seconds(again) == 2
        for span in (first, other):
            assert span.attributes is not None
            assert "session.previous_id" not in span.attributes


class TestClosing:
    async def test_whole_clean_up(
        self, supervisor: Supervisor, traced: Traced, clock: VirtualClock
    ) -> None:
        """
        An end is a trace of its own, linked to the opening, with a span for each step inside.
        """
        traced.attach(supervisor)

        @supervisor.on_close
        async def goodbye(session: object, reason: object) -> None:
            await asyncio.sleep(1)

        s = await supervisor.open("a")
        s.callback(print, end="")
        s.push_async_callback(asyncio.sleep, 1.5)
        await clock.advance(30)
        with traced.provider.get_tracer("test").start_as_current_span("request"):
            await supervisor.close("a")
        opened, hook, slow, plain, close, _ = traced.spans()
        assert close.name == "sessionstate.close"
        assert close.parent is None
        assert close.context is not None
        assert opened.context is not None
        assert close.context.trace_id != opened.context.trace_id
        assert [link.context for link in close.links] == [opened.context]
        assert close.attributes == {
            "sessionstate.supervisor": "sessionstate",
            "session.id": "a",
            "sessionstate.incarnation": 1,
            "sessionstate.close.reason": "deleted",
            "sessionstate.session.lifetime": 30,
            "sessionstate.close.errors": 0,
        }
        assert [seconds(span) for span in (hook, slow, plain, close)] == [1, 1.5, 0, 2.5]
        assert hook.start_time == close.start_time
        assert slow.start_time == hook.end_time
        assert plain.end_time == close.end_time
        for step, where in (
            (hook, "on_close hook"),
            (slow, "async callback sleep"),
            (plain, "callback print"),
        ):
            assert step.name == "sessionstate.clean_up"
            assert step.parent == close.context
            assert step.attributes is not None
            assert step.attributes["sessionstate.clean_up.where"] == where
            assert step.status.status_code is StatusCode.UNSET

    async def test_step_that_fails(self, supervisor: Supervisor, traced: Traced) -> None:
        """
        A failed step is an error with its exception, told once, and the end tells their number.
        """
        traced.attach(supervisor)

        def fail() -> None:
            raise LookupError(f"no {CHAT}")

        s = await supervisor.open(CHAT)
        s.callback(fail)
        s.callback(int, "x")
        with pytest.raises(ExceptionGroup):
            await supervisor.close(CHAT, reason=CloseReason.FAILED)
        _, first, second, close = traced.spans()
        for step, kind in ((first, "ValueError"), (second, "LookupError")):
            assert step.status.status_code is StatusCode.ERROR
            (exception,) = step.events
            assert exception.name == "exception"
            assert exception.attributes is not None
            assert exception.attributes["exception.type"] == kind
        assert second.status.description == "LookupError: no 3f2c9a7e…"
        attributes = second.events[0].attributes
        assert attributes is not None
        assert attributes["exception.message"] == "no 3f2c9a7e…"
        assert str(attributes["exception.stacktrace"]).endswith("LookupError: no 3f2c9a7e…")
        assert CHAT not in second.to_json() + close.to_json()
        assert close.status.status_code is StatusCode.ERROR
        assert close.status.description == "2 clean-up errors"
        assert not close.events

    async def test_error_that_is_no_step(
        self, supervisor: Supervisor, traced: Traced, clock: VirtualClock
    ) -> None:
        """
        What fails outside of any step, such as a body that does not leave, is told by the end.
        """
        traced.attach(supervisor, redact="none")

        async def stay() -> None:
            async with supervisor.session(CHAT):
                while not left:
                    try:
                        await asyncio.sleep(60)
                    except asyncio.CancelledError:
                        pass

        left: list[bool] = []
        task = asyncio.create_task(stay())
        await clock.settle()
        supervisor.close_soon(CHAT)
        await clock.advance(30)
        close = traced.spans()[-1]
        left.append(True)
        await clock.advance(60)
        task.cancel()
        await asyncio.wait([task])
        assert close.name == "sessionstate.close"
        assert close.status.status_code is StatusCode.ERROR
        assert len(close.events) == 1
        assert CHAT in close.to_json()

    async def test_exception_is_named_with_its_module(
        self, supervisor: Supervisor, traced: Traced
    ) -> None:
        """
        The type of an exception is its full name, but for a builtin one.
        """
        traced.attach(supervisor)

        def fail() -> None:
            raise asyncio.InvalidStateError

        s = await supervisor.open("a")
        s.callback(fail)
        with pytest.raises(ExceptionGroup):
            await supervisor.close("a")
        attributes = traced.spans()[1].events[0].attributes
        assert attributes is not None
        assert attributes["exception.type"] == "asyncio.exceptions.InvalidStateError"

    async def test_wall_clock_that_is_set(
        self,
        supervisor: Supervisor,
        traced: Traced,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """
        A wall clock that is set back meanwhile makes no span negative.
        """
        wall = [10**18]
        monkeypatch.setattr(_spans, "time_ns", lambda: wall[0])
        traced.attach(supervisor)
        s = await supervisor.open("a")
        s.push_async_callback(asyncio.sleep, 2)
        s.callback(wall.__setitem__, 0, 5 * 10**17)
        await supervisor.close("a")
        _, _, step, close = traced.spans()
        assert close.start_time == step.start_time == 10**18
        assert close.end_time == step.end_time == 10**18 + 2 * SECOND


class TestNothingGrows:
    async def test_after_the_end(self, supervisor: Supervisor, traced: Traced) -> None:
        """
        Of sessions that ended nothing is kept but the last few ids.
        """
        watch = _spans.Spans(traced.provider.get_tracer("test"), "x", str)
        supervisor.observe(watch.tell)
        for number in range(_spans.RECENT + 10):
            async with supervisor.session(str(number)):
                pass
        assert not watch._opened
        assert not watch._closing
        assert len(watch._recent) == _spans.RECENT
        assert "9" not in watch._recent
        assert "10" in watch._recent
        for number in range(10, 20):
            async with supervisor.session(str(number)):
                pass
        assert len(watch._recent) == _spans.RECENT

    async def test_not_sampled(self, supervisor: Supervisor) -> None:
        """
        Where a trace is not sampled nothing is kept.
        """
        provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
        watch = _spans.Spans(provider.get_tracer("test"), "x", str)
        supervisor.observe(watch.tell)
        s = await supervisor.open("a")
        s.callback(print, end="")
        assert not watch._opened
        await supervisor.close("a")
        assert not watch._closing
        assert not watch._recent

    async def test_cancel_while_closing(
        self, supervisor: Supervisor, traced: Traced, clock: VirtualClock
    ) -> None:
        """
        The span of an end that is under way ends with the tracing, and one begun before is none.
        """
        cancel = traced.attach(supervisor)
        s = await supervisor.open("a")
        s.push_async_callback(asyncio.sleep, 2)
        supervisor.close_soon("a")
        assert cancel()
        assert [span.name for span in traced.spans()] == ["sessionstate.open", "sessionstate.close"]
        traced.attach(supervisor)
        await clock.advance(2)
        assert traced.spans() == []
