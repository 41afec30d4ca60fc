"""
The end of the page in a thread of its own, however it comes.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from sessionstate.dashboard import DashboardPage
from sessionstate.dashboard import _serving as serving
from sessionstate.dashboard._serving import Address, listen
from tests.dashboard.conftest import connect, page_threads
from tests.dashboard.memory_source import MemorySource

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    Serve = Callable[..., AbstractAsyncContextManager[DashboardPage]]

pytestmark = pytest.mark.real_loop


class TestEnd:
    async def test_open_streams(self, serve: Serve, source: MemorySource) -> None:
        """
        Leaving ends open streams as whole answers.
        """
        opened, texts = asyncio.Event(), []

        async def read(page: DashboardPage) -> None:
            async with connect(page) as client, client.stream("GET", "api/stream") as answer:
                async for text in answer.aiter_text():
                    texts.append(text)
                    opened.set()

        async with serve() as page:
            readers = [asyncio.create_task(read(page)) for _ in range(3)]
            await opened.wait()
        await asyncio.gather(*readers)
        assert not page_threads()
        assert source.waiting == 0

    @pytest.mark.parametrize("more", [b"", b"GET / HTTP/1.1\r\nHost: local"])
    async def test_idle_connections(self, serve: Serve, more: bytes) -> None:
        """
        Connections on which nothing comes, or not the rest, do not keep the server.
        """
        async with serve() as page:
            url = httpx.URL(page.url)
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(b"HEAD /login HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
            writer.write(more)
            await writer.drain()
        assert not page_threads()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    @pytest.mark.parametrize("how", ["error", "cancelled", "anyio"])
    async def test_however_it_is_left(self, serve: Serve, how: str) -> None:
        """
        An error or a cancellation stops the server as well, and comes out again.
        """
        entered = asyncio.Event()

        async def run() -> None:
            async with serve():
                entered.set()
                if how == "error":
                    raise ValueError("mine")
                await asyncio.Event().wait()

        if how == "anyio":
            async with anyio.create_task_group() as group:
                group.start_soon(run)
                await entered.wait()
                group.cancel_scope.cancel()
        else:
            task = asyncio.create_task(run())
            await entered.wait()
            if how == "cancelled":
                task.cancel()
            with pytest.raises(ValueError if how == "error" else asyncio.CancelledError):
                await task
        assert not page_threads()

    async def test_cancelled_again(self, serve: Serve) -> None:
        """
        A cancellation that comes while the server stops is no reason not to wait for it.
        """
        leave, leaving = asyncio.Event(), asyncio.Event()

        async def run() -> None:
            async with serve():
                leave.set()
                await leaving.wait()

        task = asyncio.create_task(run())
        await leave.wait()
        leaving.set()
        while not task.get_coro().cr_await or task.cancelling() < 2:  # type: ignore[union-attr]
            await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not page_threads()

    async def test_cancelled_at_its_start(self, serve: Serve) -> None:
        """
        Who is cancelled while the server starts leaves none behind.
        """

        async def run() -> None:
            async with serve():
                pytest.fail("it was entered")

        task = asyncio.create_task(run())
        while not page_threads():  # noqa: ASYNC110 - the thread tells nobody before it serves
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not page_threads()

    async def test_without_a_thread(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Where no thread can be started, nothing is left open.
        """

        def start(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            with pytest.raises(RuntimeError, match="can't start new thread"):
                async with serve():
                    pytest.fail("it was entered")

    async def test_failing_server(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        A server that fails at its start says why.
        """

        async def fail(*_: object, **__: object) -> None:
            raise ValueError("broken")

        monkeypatch.setattr(serving.uvicorn.Server, "startup", fail)
        with pytest.raises(
            RuntimeError, match="the server of the page ended at its start"
        ) as caught:
            async with serve():
                pytest.fail("it was entered")
        assert isinstance(caught.value.__cause__, ValueError)
        assert "the server of the page failed" in caplog.messages
        assert not page_threads()

    async def test_ended_before(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A server that was ended by somebody else is left as any other.
        """
        made: list[serving.ServerThread] = []
        init = serving.ServerThread.__init__

        def note(self: serving.ServerThread, *arguments: Any) -> None:
            made.append(self)
            init(self, *arguments)

        monkeypatch.setattr(serving.ServerThread, "__init__", note)
        async with serve():
            made[0]._server.should_exit = True
            await asyncio.to_thread(made[0]._thread.join)
        assert not page_threads()

    async def test_stuck(
        self,
        serve: Serve,
        source: MemorySource,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """
        A thread that does not end is left, and that is logged.
        """
        monkeypatch.setattr(serving, "PATIENCE", 0.2)
        stuck, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        async def hang(after: int | None = None) -> object:
            loop.call_soon_threadsafe(stuck.set)
            go_on.wait()
            return await MemorySource().overview(after)

        monkeypatch.setattr(source, "overview", hang)
        async with serve() as page, connect(page) as client:
            asking = asyncio.create_task(client.get("api/overview"))
            await stuck.wait()
            asking.cancel()
            await asyncio.wait([asking])
        assert "the thread of the page did not end within 0.2 s: it is left" in caplog.messages
        thread = next(each for each in threading.enumerate() if each.name in page_threads())
        go_on.set()
        await asyncio.to_thread(thread.join)

    def test_loop_gone(self, source: MemorySource, folder: Path) -> None:
        """
        A thread whose program is gone ends quietly.
        """

        async def leave() -> serving.ServerThread:
            address = Address.of("127.0.0.1", 0, None, ())
            built = serving.build_app(
                source,
                serving.TokenGate(address.token),
                title="t",
                allow_close=False,
                hosts=address.hosts,
                folder=folder,
            )
            server = serving.ServerThread(built, await listen(address))
            await server.start()
            return server

        with asyncio.Runner() as runner:
            server = runner.run(leave())
        server._server.should_exit = True
        server._thread.join()
        assert server._error is None
