"""
The page above a source in memory: behind a token, or mounted.
"""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.dashboard.memory_source import MemorySource

if all(map(find_spec, ("starlette", "sse_starlette", "uvicorn", "httpx"))):
    import httpx

    from sessionstate.dashboard._app import Built, build_app
    from sessionstate.dashboard._auth import AskingGate, Gate, TokenGate
    from sessionstate.dashboard._guard import LOOPBACK, Hosts
    from sessionstate.dashboard._serving import Address, DashboardPage, serve_source
else:
    collect_ignore_glob = ["test_app*.py", "test_auth*.py", "test_serving*.py"]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from starlette.types import ASGIApp

TOKEN = "the right token"  # noqa: S105 - it opens a page of a test
ORIGIN = "http://127.0.0.1:8000"
INDEX = """<!doctype html>
<html><head><meta name="csrf-token" content="{{csrf}}"><title>{{title}}</title></head>
<body><p>page</p></body></html>
"""
PATIENCE = 20.0  # seconds until a test gives up: no result depends on it
SAME = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
"""What a browser says of a request that the page makes."""


@pytest.fixture
def source() -> MemorySource:
    """
    Give two sessions, 1 and 2.
    """
    return MemorySource()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """
    Give the files of a small page.
    """
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "main.js").write_text("let a = 1;\n")
    (tmp_path / "dashboard.css").write_text("p { margin: 0 }\n")
    (tmp_path / "secret.key").write_text("not to be sent")
    return tmp_path


@pytest.fixture
def build(source: MemorySource, folder: Path) -> Callable[..., Built]:
    """
    Give a function that builds the app; by default behind a token, with closing on.
    """

    def build(gate: Gate | None = None, hosts: Hosts | None = None, **options: Any) -> Built:
        return build_app(
            source,
            gate or TokenGate(TOKEN),
            hosts=hosts or Hosts((), *LOOPBACK),
            **{"title": "My <page>", "allow_close": True, "folder": folder, **options},
        )

    return build


@pytest.fixture
def app(build: Callable[..., Built]) -> ASGIApp:
    """
    Give the app behind a token.
    """
    return build().app


@pytest.fixture
def open_app(build: Callable[..., Built]) -> ASGIApp:
    """
    Give the app as it is mounted, where everybody is allowed.
    """
    return build(AskingGate(lambda request: True)).app


@pytest.fixture
async def clients() -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """
    Give a function that makes clients of an app, each with cookies of its own.
    """
    made: list[httpx.AsyncClient] = []

    def connect(app: Any, **options: Any) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=("192.0.2.7", 4000)),
            **{"base_url": ORIGIN, **options},
        )
        made.append(client)
        return client

    yield connect
    for client in made:
        await client.aclose()


@pytest.fixture
async def client(app: ASGIApp, clients: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    """
    Give somebody who is not logged in.
    """
    return clients(app)


@pytest.fixture
async def program(app: ASGIApp, clients: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    """
    Give a program, which sends the token each time.
    """
    return clients(app, headers={"authorization": f"Bearer {TOKEN}"})


@pytest.fixture
async def browser(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """
    Give a browser that is logged in.
    """
    answer = await client.get("/", params={"token": TOKEN})
    assert answer.status_code == 303
    return client


async def csrf_of(client: httpx.AsyncClient, at: str = "/") -> str:
    """
    Load the page, and return what it sends along.
    """
    answer = await client.get(at)
    assert answer.status_code == 200, answer.text
    found = re.search(r'<meta name="csrf-token" content="([^"]*)">', answer.text)
    assert found is not None
    return found[1]


@pytest.fixture
async def streaming() -> AsyncIterator[None]:
    """
    End what watches for the end of the server, which lives as long as the loop.
    """
    yield
    for task in asyncio.all_tasks():
        coroutine: Any = task.get_coro()
        if coroutine.__name__ == "_shutdown_watcher":
            task.cancel()


@pytest.fixture
def serve(
    source: MemorySource, folder: Path
) -> Callable[..., AbstractAsyncContextManager[DashboardPage]]:
    """
    Give a function that serves the source in memory, in a thread.
    """

    @asynccontextmanager
    async def serve(
        host: str = "127.0.0.1", port: int = 0, token: str | None = None
    ) -> AsyncIterator[DashboardPage]:
        address = Address.of(host, port, token, ())
        async with serve_source(source, address, allow_close=True, folder=folder) as page:
            yield page

    return serve


def connect(page: DashboardPage) -> httpx.AsyncClient:
    """
    Return a client that sends the token.
    """
    headers = {"authorization": f"Bearer {page.token}"}
    return httpx.AsyncClient(base_url=page.url, headers=headers, timeout=PATIENCE)


def page_threads() -> list[str]:
    """
    Return the names of the threads that serve a page.
    """
    return [each.name for each in threading.enumerate() if each.name == "sessionstate dashboard"]
