from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import pytest

from sessionstate import SessionMap, Supervisor
from sessionstate._cli.top._address import address
from sessionstate._cli.top._app import Top
from sessionstate._cli.top._client import Client, WrongTokenError
from sessionstate._cli.top._dialogs import Confirm
from tests.top.watching import Watching

pytest.importorskip("sse_starlette")

from sessionstate.dashboard import DashboardPage, serve_dashboard

pytestmark = pytest.mark.real_loop


@pytest.fixture
async def page(supervisor: Supervisor) -> AsyncIterator[DashboardPage]:
    """
    Serve the page of a supervisor with three sessions, one of which has a task.
    """
    agents = SessionMap[str]("agents", supervisor=supervisor)
    for name in ("ada", "bob", "[red]cy"):
        session = await supervisor.open(name)
        agents[name] = "an agent"
    session.start_soon(asyncio.Event().wait)
    async with serve_dashboard(supervisor, allow_close=True, redact="none") as served:
        yield served


class TestRealPage:
    async def test_from_its_login_url(self, page: DashboardPage, supervisor: Supervisor) -> None:
        """
        What the server prints is enough to see its sessions, go into one, and close it.
        """
        async with Client(address(page.login_url)) as client:
            top = Top(client, await client.overview())
            async with top.run_test(size=(100, 40)) as pilot:
                view = Watching(top, pilot)
                await view.sees("connected", "ada", "bob", "[red]cy", "3 of 3")
                await view.press("slash", *"cy", "enter")
                await view.sees("1 of 3")
                await view.open("agents, str", "task (1)", "in Event.wait", "life 3")
                await view.press("c")
                await view.until(lambda: isinstance(top.screen, Confirm))
                await view.press("y")
                await view.sees("is being closed, as deleted", "GONE")
                assert sorted(supervisor) == ["ada", "bob"]

    async def test_the_client(self, page: DashboardPage) -> None:
        """
        Each request of the client is understood, and another token is not.
        """
        async with Client(address(page.login_url)) as client:
            async with aclosing(cast("Any", client.updates())) as updates:
                first, second = await anext(updates), await anext(updates)
            assert second["number"] > first["number"]
            assert "history" in first
            assert "history" not in second
            found = await client.sessions(sort="idle", order="asc", search="b", state="idle")
            assert [row["id"] for row in found["rows"]] == ["bob"]
            assert await client.session(99) is None
            assert await client.close(99) is False
        async with Client(address(f"{page.url}?token=another")) as client:
            with pytest.raises(WrongTokenError, match="the token is wrong"):
                await client.overview()
