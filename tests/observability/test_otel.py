from __future__ import annotations

import gc
import importlib
import sys
import weakref
from typing import Any

import pytest

from sessionstate import Supervisor

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import metrics
from opentelemetry.sdk.trace import TracerProvider

from sessionstate.observability import _metrics
from sessionstate.observability.otel import instrument
from tests.observability.telling import Telling, told

__all__ = ["told"]  # a fixture

pytestmark = pytest.mark.virtual_time


class TestSeveral:
    async def test_two_supervisors(self, told: Telling) -> None:
        """
        Supervisors of one provider are told apart by name.
        """
        async with (
            Supervisor(default=False, name="chat") as chat,
            Supervisor(default=False, name="jobs") as jobs,
        ):
            for each in (chat, jobs):
                instrument(each, meter_provider=told.provider, spans=False)
            await chat.open("a")
            assert told.points("sessions.opened", of="chat") == {"": 1}
            assert told.points("sessions.opened", of="jobs") == {"": 0}

    async def test_same_name(self, told: Telling) -> None:
        """
        Two running supervisors of one name are refused; a later one takes the place of one left.
        """
        async with Supervisor(default=False) as first:
            instrument(first, meter_provider=told.provider, spans=False)
            await first.open("a")
            with pytest.raises(ValueError, match="named 'sessionstate' is told of already"):
                instrument(Supervisor(default=False), meter_provider=told.provider)
        assert told.points("sessions.opened") == {"": 1}
        async with Supervisor(default=False) as second:
            instrument(second, meter_provider=told.provider, spans=False)
            assert told.points("sessions.opened") == {"": 0}

    async def test_cancel(self, supervisor: Supervisor, told: Telling) -> None:
        """
        After the cancellation instruments answer nothing; another one may begin.
        """
        handle = instrument(supervisor, meter_provider=told.provider)
        await supervisor.open("a")
        assert (handle.cancel(), handle.cancel()) == (True, False)
        await supervisor.close("a")
        assert told.metrics() == {}
        assert not supervisor._observers.observations
        instrument(supervisor, meter_provider=told.provider, spans=False)
        assert told.points("sessions.opened") == {"": 1}

    async def test_first_handle_after_a_successor(self, told: Telling) -> None:
        """
        A handle that is cancelled late takes nothing away from who came after it.
        """
        async with Supervisor(default=False) as first:
            handle = instrument(first, meter_provider=told.provider, spans=False)
        async with Supervisor(default=False) as second:
            instrument(second, meter_provider=told.provider, spans=False)
            handle.cancel()
            assert told.points("sessions.opened") == {"": 0}

    async def test_keeps_nothing_alive(self, told: Telling) -> None:
        """
        A provider, which lives as long as the process, keeps no supervisor, and forgets its name.
        """
        supervisor = Supervisor(default=False, name="one")
        instrument(supervisor, meter_provider=told.provider, spans=False)
        gone = weakref.ref(supervisor)
        del supervisor
        gc.collect()
        assert gone() is None
        assert told.metrics() == {}
        readers = _metrics._meters[told.provider].readers
        others = [Supervisor(default=False, name=name) for name in ("one", "other")]
        instrument(others[1], meter_provider=told.provider, spans=False)
        assert list(readers._readers) == ["other"]
        instrument(others[0], meter_provider=told.provider, spans=False)
        del others
        gc.collect()
        again = Supervisor(default=False, name="other")
        instrument(again, meter_provider=told.provider, spans=False)
        assert list(readers._readers) == ["other"]

    async def test_global_provider(
        self, supervisor: Supervisor, told: Telling, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Without a provider it is the global one, and who names that one means the same.
        """
        monkeypatch.setattr(_metrics, "_global", [])
        monkeypatch.setattr(metrics, "get_meter_provider", lambda: told.provider)
        inside = "opentelemetry.metrics._internal.get_meter_provider"
        monkeypatch.setattr(inside, lambda: told.provider)
        handle = instrument(supervisor, spans=False)
        assert told.points("sessions.opened") == {"": 0}
        handle.cancel()
        instrument(supervisor, meter_provider=told.provider, spans=False)
        assert told.points("sessions.opened") == {"": 0}

    async def test_provider_that_becomes_the_global_one(
        self, supervisor: Supervisor, told: Telling, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A provider has one set of instruments, though it becomes the global one meanwhile.
        """
        instrument(supervisor, meter_provider=told.provider, spans=False)
        monkeypatch.setattr(metrics, "get_meter_provider", lambda: told.provider)
        async with Supervisor(default=False, name="other") as other:
            instrument(other, spans=False)
            assert told.points("sessions.opened", of="other") == {"": 0}
            assert told.points("sessions.opened") == {"": 0}

    async def test_spans_by_the_given_provider(self, supervisor: Supervisor, told: Telling) -> None:
        """
        Metrics and spans are told to providers of their own.
        """
        handle = instrument(
            supervisor, meter_provider=told.provider, tracer_provider=TracerProvider()
        )
        assert len(supervisor._observers.observations) == 2
        handle.cancel()


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without the extra the error says what to install.
    """
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "sessionstate.observability.otel")
    message = (
        r"sessionstate.observability.otel needs 'opentelemetry': pip install 'sessionstate\[otel\]'"
    )
    with pytest.raises(ImportError, match=message):
        importlib.import_module("sessionstate.observability.otel")


@pytest.mark.parametrize(("given", "error"), [(0, ValueError), (True, TypeError), (1.5, TypeError)])
def test_max_names_is_checked(given: Any, error: type[Exception]) -> None:
    """
    A limit of names that makes no sense is refused.
    """
    with pytest.raises(error, match="max_names must be"):
        instrument(Supervisor(default=False), max_names=given)
