from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from sessionstate import Supervisor
from sessionstate.observability import _reading
from sessionstate.observability._reading import Reader, Reading

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.real_loop


@pytest.fixture(autouse=True)
def _always_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reading, "FRESH", -1)


def while_loop_stands_still(read: Callable[[], Reading | None]) -> Reading | None:
    """
    Call *read* in another thread while this one, which is the loop's, waits for it.
    """
    found: list[Reading | None] = []
    thread = threading.Thread(target=lambda: found.append(read()))
    thread.start()
    thread.join()
    return found[0]


class TestOtherThread:
    async def test_loop_takes_the_figures(self, supervisor: Supervisor) -> None:
        """
        What another thread reads is what the loop took for it.
        """
        reader = Reader(supervisor, 10, None)
        await supervisor.open("a")
        reading = await asyncio.to_thread(reader.read)
        assert reading is not None
        assert reading.statistics.opened == 1

    async def test_loop_that_stands_still(self, supervisor: Supervisor) -> None:
        """
        A loop that stands still makes nobody wait: what was taken last is told, with its age.
        """
        reader = Reader(supervisor, 10, None)
        first = reader.last
        await supervisor.open("a")
        assert first is not None
        assert while_loop_stands_still(reader.read) is first
        assert while_loop_stands_still(reader.read) is first
        await asyncio.sleep(0)
        assert reader.last is not first
        assert first.age > 0

    async def test_figures_that_are_fresh(
        self, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Many readers at once make one question to the loop.
        """
        monkeypatch.setattr(_reading, "FRESH", 60)
        reader = Reader(supervisor, 10, None)
        reading = await asyncio.to_thread(reader.read)
        assert await asyncio.to_thread(reader.read) is reading

    async def test_made_in_another_thread(self, supervisor: Supervisor) -> None:
        """
        A reader that is made outside of the loop begins with nothing, and asks.
        """
        reader = await asyncio.to_thread(Reader, supervisor, 10, None)
        assert reader.last is None
        assert while_loop_stands_still(reader.read) is None
        await asyncio.sleep(0)
        assert await asyncio.to_thread(reader.read) is not None

    async def test_closed_meanwhile(self, supervisor: Supervisor) -> None:
        """
        What was asked before a reader was closed is not taken after it.
        """
        reader = Reader(supervisor, 10, None)
        while_loop_stands_still(reader.read)
        reader.close()
        await asyncio.sleep(0)
        assert reader.last is None
        assert reader.read() is None


def test_loop_that_is_closed() -> None:
    """
    When the loop is over, the figures are those of the end, in every thread.
    """

    async def main() -> tuple[Supervisor, Reader]:
        async with Supervisor(default=False) as supervisor:
            reader = Reader(supervisor, 10, None)
            await supervisor.open("a")
        return supervisor, reader

    with asyncio.Runner() as runner:
        supervisor, reader = runner.run(main())
    reading = while_loop_stands_still(reader.read)
    assert reading is not None
    assert reading.statistics.closed == 1
    assert reader.is_over()
    del supervisor


class TestReport:
    async def test_closed_while_it_is_made(self, supervisor: Supervisor) -> None:
        """
        A report that is being made when the reader is closed is made no further.
        """
        supervisor.keep_surveying(0.01)
        await supervisor.open("a")
        while supervisor.survey is None or not supervisor.survey.counted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        reader = Reader(supervisor, 10, None)
        assert reader._making is not None
        reader.close()
        await asyncio.sleep(0)
        assert reader._making is None
        assert reader._leaks is None
