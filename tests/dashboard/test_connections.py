"""
Who may connect to the page's own server, and stay.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from sessionstate.dashboard import DashboardPage, _connections
from sessionstate.dashboard._connections import Connection
from tests.dashboard.conftest import PATIENCE, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    Serve = Callable[..., AbstractAsyncContextManager[DashboardPage]]

pytestmark = pytest.mark.real_loop


async def ended(page: DashboardPage) -> bool:
    """
    Connect without saying anything, and tell whether the server ends that, sooner or later.
    """
    host, port = page.url.removeprefix("http://").rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True
    finally:
        writer.close()


class TestConnections:
    async def test_silent(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A connection on which nothing is asked is closed, so that none takes a file for ever.
        """
        monkeypatch.setattr(_connections, "SILENCE", 0.05)
        async with serve() as page:
            assert await ended(page)

    async def test_too_many(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Of too many connections the newest is closed at once, and those that were there go on.
        """
        monkeypatch.setattr(_connections, "MOST", 1)
        async with serve() as page, connect(page) as client:
            assert (await client.get("api/overview")).status_code == 200  # and is kept alive
            assert await ended(page)
            assert (await client.get("api/overview")).status_code == 200

    async def test_one_that_has_asked(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        One that has asked is not taken for silent, however long it waits for what comes.
        """
        looked: list[Connection] = []
        over = threading.Event()
        look = Connection._end_if_silent

        def note(connection: Connection) -> None:
            look(connection)
            looked.append(connection)
            over.set()

        monkeypatch.setattr(Connection, "_end_if_silent", note)
        monkeypatch.setattr(_connections, "SILENCE", 0.2)
        async with serve() as page, connect(page) as client:
            assert (await client.get("api/overview")).status_code == 200
            assert await asyncio.to_thread(over.wait, PATIENCE)
            assert (await client.get("api/overview")).status_code == 200
            assert not looked[0].transport.is_closing()
