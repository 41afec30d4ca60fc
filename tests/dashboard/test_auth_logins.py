"""
Logins and wrong tokens: how many, for how long, and their end.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest

from sessionstate.dashboard._auth import LONGEST_LOGIN, MOST_ATTEMPTS, MOST_LOGINS, TokenGate
from tests.dashboard.conftest import TOKEN, csrf_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from starlette.types import ASGIApp

    from sessionstate.dashboard._app import Built
    from sessionstate.testing import VirtualClock

    Clients = Callable[..., httpx.AsyncClient]

FORM = {"content-type": "application/x-www-form-urlencoded"}


class TestAttempts:
    async def test_wrong_tokens_are_few(
        self, client: httpx.AsyncClient, clock: VirtualClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        After some wrong tokens, by any way, more are turned away; the right one is always let in.
        """
        ways = [
            lambda token: client.post("/login", data={"token": token}),
            lambda token: client.get("/", params={"token": token}),
            lambda token: client.get("/", headers={"authorization": f"Bearer {token}"}),
        ]
        for number in range(MOST_ATTEMPTS):
            assert (await ways[number % 3]("x")).status_code == 401
        for way in ways:
            answer = await way("x")
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["retry-after"]) <= 7
            assert (await way(TOKEN)).status_code in (200, 303)
        assert "Too many wrong tokens came." in (await ways[0]("x")).text
        assert len(caplog.messages) == MOST_ATTEMPTS

    async def test_they_come_back(self, build: Callable[..., Built], clients: Clients) -> None:
        """
        One more token is looked at after a while, and a right one costs nothing.
        """
        now = 0.0
        client = clients(build(TokenGate(TOKEN, lambda: now)).app)

        async def ask(token: str) -> int:
            answer = await client.get("/", headers={"authorization": f"Bearer {token}"})
            return answer.status_code

        for _ in range(MOST_ATTEMPTS):
            assert await ask("x") == 401
        assert await ask("x") == 429
        now += 6.5
        assert [await ask(TOKEN), await ask(TOKEN), await ask("x"), await ask("x")] == [
            200,
            200,
            401,
            429,
        ]
        now += 1_000_000
        assert [await ask("x") for _ in range(MOST_ATTEMPTS + 1)] == [401] * MOST_ATTEMPTS + [429]

    async def test_logins_stay(self, browser: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
        """
        Whoever is logged in does not notice that others guess.
        """
        for _ in range(MOST_ATTEMPTS + 1):
            await client.get("/?token=x", headers={"cookie": ""})
        assert (await browser.get("/api/overview")).status_code == 200


class TestLogins:
    async def test_end(self, build: Callable[..., Built], clients: Clients) -> None:
        """
        A login ends after half a day.
        """
        now = 0.0
        client = clients(build(TokenGate(TOKEN, lambda: now)).app)
        await client.get("/", params={"token": TOKEN})
        now = LONGEST_LOGIN - 1.0
        assert (await client.get("/api/overview")).status_code == 200
        now = LONGEST_LOGIN + 1.0
        assert (await client.get("/api/overview")).status_code == 401

    async def test_bounded(self, build: Callable[..., Built], clients: Clients) -> None:
        """
        Only so many logins are kept: the oldest makes room, and those that ended count no more.
        """
        now = 0.0
        gate = TokenGate(TOKEN, lambda: now)
        app = build(gate).app
        first = clients(app)
        await first.get("/", params={"token": TOKEN})
        others = clients(app)
        for _ in range(MOST_LOGINS - 1):
            await others.get("/", params={"token": TOKEN}, headers={"cookie": ""})
        assert (await first.get("/api/overview")).status_code == 200
        await others.get("/", params={"token": TOKEN})
        assert (await first.get("/api/overview")).status_code == 401
        assert (await others.get("/api/overview")).status_code == 200
        assert len(gate._logins) == MOST_LOGINS
        now = LONGEST_LOGIN + 1.0
        await others.get("/", params={"token": TOKEN})
        assert len(gate._logins) == 1

    async def test_logged(
        self, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        A login is logged with who it is, but not with what would open the page.
        """
        with caplog.at_level(logging.INFO, "sessionstate.dashboard"):
            await client.get("/", params={"token": TOKEN})
        (message,) = [text for text in caplog.messages if "logged in" in text]
        assert re.fullmatch(r"192\.0\.2\.7 \(cookie [0-9a-f]{8}\) logged in", message)
        assert not any(value in caplog.text for value in [TOKEN, *client.cookies.values()])

    async def test_one_per_port(self, app: ASGIApp, clients: Clients) -> None:
        """
        Pages at two ports of one host do not take each other's cookie away.
        """
        client = clients(app)
        for port in (8000, 9000):
            await client.get(f"http://127.0.0.1:{port}/", params={"token": TOKEN})
        assert sorted(client.cookies) == ["sessionstate_8000", "sessionstate_9000"]


class TestLogout:
    async def test_ends_the_login(self, browser: httpx.AsyncClient) -> None:
        """
        After a logout the cookie opens nothing, even where somebody kept it.
        """
        kept = dict(browser.cookies)
        csrf = await csrf_of(browser)
        answer = await browser.post("/logout", data={"csrf": csrf}, headers={"origin": "null"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "./login"
        assert not browser.cookies
        answer = await browser.get(
            "/api/overview", headers={"cookie": f"sessionstate_8000={kept['sessionstate_8000']}"}
        )
        assert answer.status_code == 401

    @pytest.mark.parametrize("csrf", [None, "", "x", "é"])
    async def test_foreign(self, browser: httpx.AsyncClient, csrf: str | None) -> None:
        """
        No other page can log anybody out.
        """
        answer = (
            await browser.post("/logout", data={} if csrf is None else {"csrf": csrf})
            if (csrf is not None)
            else await browser.post("/logout", content=b"", headers=FORM)
        )
        assert answer.status_code == 403
        assert (await browser.get("/api/overview")).status_code == 200

    @pytest.mark.parametrize("query", ["", "?token=the+right+token"])
    async def test_stranger(self, client: httpx.AsyncClient, query: str) -> None:
        """
        Who is not logged in is led to the form.
        """
        answer = await client.post(f"/logout{query}", data={"csrf": "x"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "./login"

    async def test_program(self, program: httpx.AsyncClient) -> None:
        """
        A program has no login that could end.
        """
        answer = await program.post("/logout", data={"csrf": ""})
        assert answer.status_code == 303
