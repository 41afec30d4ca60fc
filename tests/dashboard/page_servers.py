"""
Servers for a browser to look at, each in a thread, and what lies in between.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from tests.dashboard.pretend import Pretend

if TYPE_CHECKING:
    from sessionstate.dashboard import DashboardPage
    from sessionstate.dashboard._source import Detail, Overview, Page, Query, Source

TOKEN = "let-me-in"  # noqa: S105 - it opens a page of a test


class Serving:
    """
    An event loop in a thread, with a page that it serves.

    Args:
        serve: Makes the context in which the page is served.
    """

    def __init__(self, serve: Callable[[], AbstractAsyncContextManager[DashboardPage]]) -> None:
        self._serve = serve
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="serving a page")
        self._error: BaseException | None = None
        self._page: DashboardPage | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._error is not None:
            raise self._error

    @property
    def page(self) -> DashboardPage:
        """
        What is served.
        """
        assert self._page is not None
        return self._page

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """
        Call *function* in the loop, and return what it returns, awaited if need be.
        """

        async def called() -> Any:
            found = function(*args)
            return await found if asyncio.iscoroutine(found) else found

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self._error = error
        finally:
            self._started.set()

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with self._serve() as self._page:
            self._started.set()
            await self._stop.wait()


@asynccontextmanager
async def pretended(source: Source, *, allow_close: bool = True) -> AsyncIterator[DashboardPage]:
    """
    Serve the page above a made-up source.
    """
    from sessionstate.dashboard._serving import Address, serve_source

    address = Address.of("127.0.0.1", 0, TOKEN, ())
    async with serve_source(source, address, allow_close=allow_close) as page:
        yield page


class Relay:
    """
    What lies between a browser and a server, and can be cut.

    Args:
        serving: The loop that it runs in.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._to = urlsplit(serving.page.url).port
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """
        Where the page is found, this way.
        """
        return f"http://127.0.0.1:{self.port}/"

    def mend(self) -> None:
        """
        Let connections through, at the same port as before.
        """
        self._serving.call(self._mend)

    def cut(self) -> None:
        """
        End all connections, and take no more.
        """
        self._serving.call(self._cut)

    async def _mend(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for line in self._lines:
            line.transport.abort()
        for task in list(self._tasks):
            await task

    async def _accept(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, on = await asyncio.open_connection("127.0.0.1", self._to)
        self._lines.update((back, on))
        for task in (
            asyncio.create_task(self._pass_on(near, on)),
            asyncio.create_task(self._pass_on(far, back)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        except OSError:
            pass
        self._lines.discard(target)
        target.close()


class Switch:
    """
    A source that is another one for each test.
    """

    def __init__(self) -> None:
        self.now: Source = Pretend(size=0)

    async def overview(self, after: int | None = None) -> Overview:
        """
        Return the newest update, or one after that.
        """
        return await self.now.overview(after)

    async def sessions(self, query: Query) -> Page:
        """
        Return a page of the table.
        """
        return await self.now.sessions(query)

    async def session(self, incarnation: int) -> Detail | None:
        """
        Return all of one session.
        """
        return await self.now.session(incarnation)

    async def close(self, incarnation: int, by: str) -> bool:
        """
        Return whether a session was closed.
        """
        return await self.now.close(incarnation, by)

    async def report(self) -> object:
        """
        Return the leak report.
        """
        return await self.now.report()
