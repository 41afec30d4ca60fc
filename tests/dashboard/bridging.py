"""
What the tests of the bridge have in common: a second thread, and a probe that is moved by hand.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate.dashboard import _bridge
from sessionstate.dashboard._probe import Probe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from sessionstate import Supervisor

    Elsewhere = Callable[[Coroutine[Any, Any, Any]], asyncio.Future[Any]]

PATIENCE = 60.0  # seconds until a test gives up: no result depends on it
FOR_EVER = 3600.0


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """
    Give threads, which are over when the test is.
    """
    with ThreadPoolExecutor() as threads:
        yield threads


@pytest.fixture
def elsewhere(threads: ThreadPoolExecutor) -> Elsewhere:
    """
    Give a function that runs a coroutine in a thread, with a loop of its own.
    """

    async def patiently(coro: Coroutine[Any, Any, Any]) -> Any:
        async with asyncio.timeout(PATIENCE):
            return await coro

    def run(coro: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(threads, asyncio.run, patiently(coro))

    return run


@pytest.fixture
async def probe(supervisor: Supervisor) -> AsyncIterator[Probe]:
    """
    Give a probe that was started.
    """
    probe = Probe(supervisor)
    probe.start()
    yield probe
    probe.stop()


@pytest.fixture
def never_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Let no slowness of the machine be taken for a loop that is blocked.
    """
    monkeypatch.setattr(_bridge, "LATE", FOR_EVER)
    monkeypatch.setattr(_bridge, "PATIENCE", FOR_EVER)


def by_hand(probe: Probe) -> None:
    """
    Let there be no update but those that the test makes.
    """
    assert probe._timer is not None
    probe._timer.cancel()


def update(probe: Probe) -> None:
    """
    Make an update.
    """
    probe._number += 1
    probe._update()
