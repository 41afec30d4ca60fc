"""
The page above a real supervisor: mounted, and in its thread.
"""

from __future__ import annotations

import asyncio
import re
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sessionstate import CloseReason, Supervisor
from sessionstate.dashboard import create_app, serve_dashboard
from tests.dashboard.conftest import PATIENCE, SAME, csrf_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import StartSupervisor

    Clients = Callable[..., httpx.AsyncClient]


def everybody(request: object) -> bool:
    """
    Allow everybody.
    """
    return True


class TestMounted:
    async def test_shows_and_closes(
        self, supervisor: Supervisor, clients: Clients, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        A session is shown, and closed from the page, with who did it in the log.
        """
        session = await supervisor.open("a-very-long-id")
        app = create_app(supervisor, authorize=everybody, allow_close=True)
        client = clients(app)
        (row,) = (await client.get("/api/sessions")).json()["rows"]
        assert row["incarnation"] == session.incarnation
        assert row["id"] == "a-very-l…"
        answer = await client.post(
            "/api/close",
            json={"incarnation": session.incarnation},
            headers={**SAME, "x-csrf-token": await csrf_of(client)},
        )
        assert answer.json() == {"closed": True}
        await session.wait_closed()
        assert session.close_reason is CloseReason.DELETED
        assert re.search(r"life 1\b.* by 192\.0\.2\.7 \(cookie [0-9a-f]{8}\)", caplog.text)

    async def test_report(self, supervisor: Supervisor, clients: Clients) -> None:
        """
        The leak report comes as a page and as JSON.
        """
        client = clients(create_app(supervisor, authorize=everybody))
        assert (await client.get("/report")).text.startswith("<!doctype html>")
        assert (await client.get("/report?format=json")).json()["supervisor"] == "sessionstate"

    async def test_before_it_runs(self, clients: Clients) -> None:
        """
        Until the supervisor runs, the page says so.
        """
        answer = await clients(create_app(Supervisor(), authorize=everybody)).get("/api/overview")
        assert answer.status_code == 503
        assert answer.json() == {"error": "the supervisor does not run yet"}

    async def test_after_it_was_left(self, clients: Clients) -> None:
        """
        Once the supervisor was left, what is known last is shown.
        """
        supervisor = Supervisor()
        client = clients(create_app(supervisor, authorize=everybody))
        async with supervisor:
            await client.get("/api/overview")
        assert (await client.get("/api/overview")).status_code == 200

    def test_in_another_loop(self) -> None:
        """
        A supervisor is not touched from the loop of another thread.
        """
        asked: list[httpx.Response] = []

        async def ask(app: Any) -> None:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                asked.append(await client.get("/api/sessions"))

        async def run() -> None:
            async with Supervisor() as supervisor:
                app = create_app(supervisor, authorize=everybody)
                await asyncio.to_thread(asyncio.run, ask(app))

        asyncio.run(run())
        assert asked[0].status_code == 503
        assert "mounted in another event loop than its supervisor's" in asked[0].text


@pytest.mark.real_loop
class TestServed:
    async def test_shows_and_closes(self, start_supervisor: StartSupervisor) -> None:
        """
        A program sees a session, and closes it, from outside of the supervisor's thread.
        """
        supervisor = await start_supervisor()
        session = await supervisor.open("a")
        async with serve_dashboard(supervisor, allow_close=True, redact="hash") as page:
            headers = {"authorization": f"Bearer {page.token}"}
            async with httpx.AsyncClient(
                base_url=page.url, headers=headers, timeout=PATIENCE
            ) as client:
                (row,) = (await client.get("api/sessions")).json()["rows"]
                assert row["id"] != "a"
                body = {"incarnation": session.incarnation}
                assert (await client.post("api/close", json=body)).json() == {"closed": True}
                await session.wait_closed()
                assert (await client.post("api/close", json=body)).status_code == 404

    async def test_before_it_runs(self, supervisor: Supervisor) -> None:
        """
        A supervisor that does not run, or runs elsewhere, is not served.
        """
        with pytest.raises(RuntimeError, match=r"not entered.* does not run in this event loop"):
            async with serve_dashboard(Supervisor()):
                pytest.fail("it was entered")

        async def elsewhere() -> None:
            async with serve_dashboard(supervisor):
                pytest.fail("it was entered")

        with pytest.raises(RuntimeError, match=r"running.* does not run in this event loop"):
            await asyncio.to_thread(asyncio.run, elsewhere())

    async def test_tells_where_the_loop_is(self, start_supervisor: StartSupervisor) -> None:
        """
        While the loop is blocked, the page says so, and where.
        """
        supervisor = await start_supervisor()
        answers: list[httpx.Response] = []
        done = threading.Event()

        def ask(url: str, token: str) -> None:
            headers = {"authorization": f"Bearer {token}"}
            with httpx.Client(base_url=url, headers=headers, timeout=PATIENCE) as client:
                answers.append(client.get("api/sessions"))
                answers.append(client.get("api/overview"))
            done.set()

        async with serve_dashboard(supervisor) as page:
            thread = threading.Thread(target=ask, args=(page.url, page.token))
            thread.start()
            assert done.wait(PATIENCE)
            thread.join()
        refused, overview = answers
        assert refused.status_code == 503
        for blocked in (refused.json()["blocked"], overview.json()["blocked"]):
            assert blocked["seconds"] >= 1
            assert any("test_app_supervisor.py" in frame for frame in blocked["stack"])
