"""
The stream of updates, from its opening to each of its ends.
"""

from __future__ import annotations

import asyncio
import json
from traceback import format_exception
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate.dashboard._auth import AskingGate
from sessionstate.dashboard._streams import ASK, MOST, PATIENCE, PING
from tests.dashboard.conftest import TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import ASGIApp

    from sessionstate.dashboard._app import Built
    from sessionstate.testing import VirtualClock
    from tests.dashboard.memory_source import MemorySource

    Open = Callable[..., "Reader"]

pytestmark = pytest.mark.usefixtures("streaming")


class Reader:
    """
    A client of the stream, which reads as fast as it is sent, or not at all.
    """

    def __init__(self, app: ASGIApp, *, reads: bool = True) -> None:
        self.start: dict[str, Any] = {}
        self.text = ""
        self.reads = reads
        self._ended = False
        self._gone = asyncio.Event()
        self.task = asyncio.create_task(self._run(app))

    async def _run(self, app: ASGIApp) -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "path": "/api/stream",
            "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"authorization", b"Bearer " + TOKEN.encode())],
        }
        await app(scope, self._receive, self._send)  # type: ignore[arg-type]

    async def _receive(self) -> dict[str, str]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        if not self.reads:
            await self._gone.wait()
        self.text += message["body"].decode()
        self._ended = not message.get("more_body")

    @property
    def status(self) -> int:
        """
        The status of the answer.
        """
        return self.start["status"]

    @property
    def headers(self) -> dict[str, str]:
        """
        Its headers.
        """
        return {name.decode(): value.decode() for name, value in self.start["headers"]}

    @property
    def complete(self) -> bool:
        """
        Whether the stream was ended as a whole answer.
        """
        return self.task.done() and self._ended

    def updates(self) -> list[dict[str, Any]]:
        """
        Return what came so far.
        """
        found: list[dict[str, Any]] = []
        for block in self.text.split("\r\n\r\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\r\n") if line)
            if "event" in fields:
                assert fields["event"] == "update"
                found.append(json.loads(fields["data"]))
                assert fields["id"] == str(found[-1]["number"])
        return found

    def go(self) -> None:
        """
        Be gone.
        """
        self._gone.set()


@pytest.fixture
async def read(app: ASGIApp) -> AsyncIterator[Open]:
    """
    Give a function that opens streams; all clients go after the test.
    """
    readers: list[Reader] = []

    def open_stream(other: ASGIApp | None = None, **options: bool) -> Reader:
        readers.append(Reader(other or app, **options))
        return readers[-1]

    yield open_stream
    for reader in readers:
        reader.go()
    await asyncio.wait([reader.task for reader in readers])


class TestUpdates:
    async def test_first_has_the_history(
        self, read: Open, source: MemorySource, clock: VirtualClock
    ) -> None:
        """
        The first update comes at once and has the history; each further one comes when it is there.
        """
        reader = read()
        await clock.settle()
        assert reader.status == 200
        assert reader.headers["content-type"].startswith("text/event-stream")
        assert reader.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in reader.headers["content-security-policy"]
        (first,) = reader.updates()
        assert len(first["history"]) == 1
        source.advance()
        await clock.settle()
        _, second = reader.updates()
        assert second["number"] == first["number"] + 1
        assert "history" not in second

    async def test_pings(self, read: Open, clock: VirtualClock) -> None:
        """
        A stream with nothing to say sends comments, lest a proxy closes it.
        """
        reader = read()
        await clock.advance(PING * 2 + 1)
        assert reader.text.count(": ping") == 2
        assert len(reader.updates()) == 1

    async def test_nothing_newer(
        self, read: Open, source: MemorySource, clock: VirtualClock
    ) -> None:
        """
        A source that has nothing newer, and does not wait either, is asked once a second.
        """
        source.stale = True
        reader = read()
        await clock.advance(10.5)
        assert len(reader.updates()) == 11
        assert {update["number"] for update in reader.updates()} == {1}


class TestMost:
    async def test_eight_at_once(self, read: Open, clock: VirtualClock) -> None:
        """
        The ninth stream is refused, and let in once another is gone.
        """
        readers = [read() for _ in range(MOST)]
        await clock.settle()
        ninth = read()
        await clock.settle()
        assert {reader.status for reader in readers} == {200}
        assert ninth.status == 503
        assert ninth.headers["retry-after"] == "5"
        assert json.loads(ninth.text)["error"] == (
            "8 streams are open already, which is the most: close a tab"
        )
        readers[3].go()
        await clock.settle()
        assert readers[3].task.done()
        again = read()
        await clock.settle()
        assert again.status == 200

    async def test_a_failing_source_keeps_no_place(
        self, read: Open, source: MemorySource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A stream that fails leaves its place to others.
        """

        async def fail(after: int | None = None) -> object:
            raise RuntimeError("broken")

        with monkeypatch.context() as patched:
            patched.setattr(source, "overview", fail)
            for _ in range(MOST + 1):
                failing = read()
                await asyncio.wait([failing.task])
                # The library groups errors, or does not, as its version is.
                assert "broken" in "".join(format_exception(failing.task.exception()))
        await asyncio.sleep(0.1)
        reader = read()
        await asyncio.sleep(0.1)
        assert reader.status == 200

    async def test_a_client_that_does_not_read(self, read: Open, clock: VirtualClock) -> None:
        """
        Clients that do not read what they are sent lose their place after a while.
        """
        readers = [read(reads=False) for _ in range(MOST)]
        await clock.advance(PATIENCE - 1)
        assert not any(reader.task.done() for reader in readers)
        await clock.advance(2 + PING)
        assert all(reader.task.done() for reader in readers)
        reader = read()
        await clock.settle()
        assert reader.status == 200


class TestEnds:
    async def test_client_goes(self, read: Open, source: MemorySource, clock: VirtualClock) -> None:
        """
        A stream ends with its client, and asks for nothing more.
        """
        reader = read()
        await clock.settle()
        assert source.waiting == 1
        reader.go()
        await clock.settle()
        assert reader.task.done()
        assert source.waiting == 0

    async def test_server_stops(
        self, build: Callable[..., Built], read: Open, source: MemorySource, clock: VirtualClock
    ) -> None:
        """
        Every stream ends whole when the server stops, and no other begins.
        """
        built = build()
        readers = [read(built.app) for _ in range(3)]
        await clock.settle()
        built.streams.close()
        await clock.settle()
        assert all(reader.complete for reader in readers)
        assert source.waiting == 0
        late = read(built.app)
        await clock.settle()
        assert late.status == 503
        assert "is being stopped" in late.text

    async def test_no_longer_allowed(
        self, build: Callable[..., Built], read: Open, source: MemorySource, clock: VirtualClock
    ) -> None:
        """
        A stream ends within half a minute of the moment from which its client may not see it.
        """
        admitted = [True]
        reader = read(build(AskingGate(lambda request: admitted[0])).app)
        for _ in range(2):
            await clock.advance(ASK + 1)
            source.advance()
            await clock.settle()
            assert not reader.complete
        admitted[0] = False
        await clock.advance(ASK + 1)
        source.advance()
        await clock.settle()
        assert reader.complete

    async def test_server_stops_while_sending(
        self, build: Callable[..., Built], read: Open, source: MemorySource, clock: VirtualClock
    ) -> None:
        """
        A stream that is sending when the server stops asks for nothing more.
        """
        built = build()
        reader = read(built.app, reads=False)
        await clock.settle()
        built.streams.close()
        reader.reads = True
        reader._gone.set()
        await clock.settle()
        assert reader.task.done()
        assert source.waiting == 0
