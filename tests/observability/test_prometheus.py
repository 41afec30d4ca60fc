from __future__ import annotations

import asyncio
import importlib
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import CloseReason, SessionMap, Supervisor

pytest.importorskip("prometheus_client")

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, start_http_server

from sessionstate.observability.prometheus import SessionstateCollector

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock


def scrape(registry: CollectorRegistry) -> dict[str, float]:
    """
    Scrape, and return the samples by what is written before their value.
    """
    lines = generate_latest(registry).decode().splitlines()
    samples = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {
        name.replace('supervisor="sessionstate"', "*"): float(value) for name, _, value in samples
    }


@pytest.fixture
def registry() -> CollectorRegistry:
    """
    Give a registry of the test's own.
    """
    return CollectorRegistry(auto_describe=True)


@pytest.mark.virtual_time
class TestScrape:
    async def test_figures(
        self, supervisor: Supervisor, registry: CollectorRegistry, clock: VirtualClock
    ) -> None:
        """
        A scrape has sessions by state, ends by reason, maps by name, and what was counted.
        """
        registry.register(SessionstateCollector(supervisor))
        agents = SessionMap[int]("agents", supervisor=supervisor)
        async with supervisor.session("a"):
            agents["a"] = 1
            await supervisor.open("b")
            for reason in ("evicted", "shed"):
                await supervisor.open("c")
                await supervisor.close("c", reason=CloseReason(reason))
            supervisor.count_request(3)
            await clock.advance(20)
            found = scrape(registry)
        assert found['sessionstate_sessions{state="held",*}'] == 1
        assert found['sessionstate_sessions{state="idle",*}'] == 1
        assert found["sessionstate_opened_total{*}"] == 4
        assert found['sessionstate_closed_total{reason="shed",*}'] == 1
        assert found['sessionstate_evictions_total{cause="room",*}'] == 1
        assert found['sessionstate_evictions_total{cause="memory",*}'] == 1
        assert found['sessionstate_entries{map="agents",*}'] == 1
        assert found['sessionstate_orphans{map="agents",*}'] == 0
        assert found["sessionstate_orphaned_sessions{*}"] == 0
        assert found["sessionstate_requests_total{*}"] == 3
        assert found["sessionstate_close_errors_total{*}"] == 0
        assert found["sessionstate_resident_memory_bytes"] > 2**20

    async def test_histograms(
        self, supervisor: Supervisor, registry: CollectorRegistry, clock: VirtualClock
    ) -> None:
        """
        Lifetimes, clean-ups and lateness are cumulative histograms, whose bounds are inclusive.
        """
        registry.register(SessionstateCollector(supervisor))
        for seconds in (1, 40):
            await supervisor.open("a")
            await clock.advance(seconds)
            await supervisor.close("a")
        await supervisor.open("b", idle_timeout=2)
        await clock.advance(3)
        found = scrape(registry)
        name = "sessionstate_lifetime_seconds"
        bounds = ("1.0", "5.0", "60.0", "+Inf")
        assert [found[f'{name}_bucket{{le="{le}",*}}'] for le in bounds] == [1, 2, 3, 3]
        assert found[f"{name}_count{{*}}"] == 3
        assert found[f"{name}_sum{{*}}"] == pytest.approx(43, abs=0.1)
        assert found["sessionstate_close_duration_seconds_count{*}"] == 3
        assert found["sessionstate_deadline_lateness_seconds_count{*}"] == 1

    async def test_registering_scrapes_nothing(
        self, supervisor: Supervisor, registry: CollectorRegistry
    ) -> None:
        """
        What is described is what is collected, without samples.
        """
        collector = SessionstateCollector([supervisor])
        described = list(collector.describe())
        assert [each.name for each in described] == [each.name for each in collector.collect()]
        assert not any(each.samples for each in described)


@pytest.mark.virtual_time
class TestSeveral:
    async def test_add_and_cancel(self, registry: CollectorRegistry) -> None:
        """
        Supervisors come and go; two of one name are refused.
        """
        collector = SessionstateCollector([])
        registry.register(collector)
        async with Supervisor(default=False) as first:
            handle = collector.add(first)
            with pytest.raises(ValueError, match="named 'sessionstate' is told of already"):
                collector.add(Supervisor(default=False))
            await first.open("a")
            assert scrape(registry)["sessionstate_opened_total{*}"] == 1
            assert handle.cancel()
            assert list(scrape(registry)) == ["sessionstate_resident_memory_bytes"]

    async def test_register_and_cancel(
        self, supervisor: Supervisor, registry: CollectorRegistry
    ) -> None:
        """
        A collector that registered itself takes itself out again.
        """
        collector = SessionstateCollector(supervisor).register(registry)
        assert "sessionstate_opened_total{*}" in scrape(registry)
        assert (collector.cancel(), collector.cancel()) == (True, False)
        assert scrape(registry) == {}
        assert not supervisor._observers.observations

    async def test_cancel_of_what_was_registered_by_hand(
        self, supervisor: Supervisor, registry: CollectorRegistry
    ) -> None:
        """
        A collector that others registered stays there and tells nothing of the supervisor.
        """
        collector = SessionstateCollector(supervisor)
        registry.register(collector)
        collector.cancel()
        assert list(scrape(registry)) == ["sessionstate_resident_memory_bytes"]

    async def test_global_registry(self, supervisor: Supervisor) -> None:
        """
        The default is the global registry.
        """
        collector = SessionstateCollector(supervisor).register()
        try:
            assert "sessionstate_opened_total{*}" in scrape(REGISTRY)
        finally:
            collector.cancel()


@pytest.mark.real_loop
class TestOtherThread:
    async def test_http_server(self, supervisor: Supervisor, registry: CollectorRegistry) -> None:
        """
        The client's own server, which answers in threads, tells what is so now.
        """
        SessionstateCollector(supervisor).register(registry)
        await supervisor.open("a")
        server, thread = start_http_server(0, "127.0.0.1", registry)

        def get() -> str:
            url = f"http://127.0.0.1:{server.server_port}/metrics"
            with urllib.request.urlopen(url) as answer:
                return str(answer.read().decode())

        text = await asyncio.to_thread(get)
        server.shutdown()
        server.server_close()
        thread.join()
        assert 'sessionstate_opened_total{supervisor="sessionstate"} 1.0' in text


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without the extra the error says what to install.
    """
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "sessionstate.observability.prometheus")
    message = (
        r"sessionstate.observability.prometheus needs 'prometheus_client': "
        r"pip install 'sessionstate\[prometheus\]'"
    )
    with pytest.raises(ImportError, match=message):
        importlib.import_module("sessionstate.observability.prometheus")


def test_no_supervisor() -> None:
    """
    What is no supervisor is refused with what it was.
    """
    wrong: Any = None
    with pytest.raises(TypeError, match="a collector tells of a Supervisor, or of several, not N"):
        SessionstateCollector(wrong)
