"""
Closing a session from the page: who may, how it is proven, and what is written down.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from sessionstate.dashboard._auth import AskingGate
from tests.dashboard.conftest import ORIGIN, SAME, TOKEN, csrf_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from starlette.types import ASGIApp

    from sessionstate.dashboard._app import Built
    from sessionstate.testing import VirtualClock
    from tests.dashboard.memory_source import MemorySource

    Clients = Callable[..., httpx.AsyncClient]

JSON = {"content-type": "application/json"}
WHO = r"192\.0\.2\.7 \(cookie [0-9a-f]{8}\)"


async def close(
    client: httpx.AsyncClient, headers: dict[str, str], number: int = 1
) -> httpx.Response:
    """
    Ask for the end of a session.
    """
    return await client.post("/api/close", json={"incarnation": number}, headers=headers)


class TestBrowser:
    @pytest.mark.parametrize(
        "proof",
        [
            SAME,
            {"origin": ORIGIN},
            {"sec-fetch-site": "same-origin"},
            {"origin": "https://127.0.0.1:8000"},
        ],
    )
    async def test_closes(
        self,
        browser: httpx.AsyncClient,
        source: MemorySource,
        proof: dict[str, str],
    ) -> None:
        """
        The page can close a session, and the source is told who did.
        """
        csrf = await csrf_of(browser)
        answer = await close(browser, {**proof, "x-csrf-token": csrf})
        assert answer.status_code == 200
        assert answer.json() == {"closed": True}
        ((number, who),) = source.closed
        assert number == 1
        assert re.fullmatch(WHO, who)

    @pytest.mark.parametrize(
        "proof",
        [
            {},
            {"origin": "null"},
            {"origin": "http://example.org"},
            {"origin": "http://127.0.0.1:9000"},
            {"origin": "ftp://127.0.0.1:8000"},
            {"origin": ORIGIN, "sec-fetch-site": "none"},
            {"origin": ORIGIN, "sec-fetch-site": "same-site"},
            {"origin": "http://example.org", "sec-fetch-site": "same-origin"},
        ],
    )
    async def test_from_elsewhere(
        self,
        browser: httpx.AsyncClient,
        source: MemorySource,
        caplog: pytest.LogCaptureFixture,
        proof: dict[str, str],
    ) -> None:
        """
        A browser must say that the page asked, even with the right proof.
        """
        answer = await close(browser, {**proof, "x-csrf-token": await csrf_of(browser)})
        assert answer.status_code == 403
        assert not source.closed
        if proof.get("sec-fetch-site") != "same-site":  # that does not come so far
            assert "its Origin or Sec-Fetch-Site is another" in answer.json()["error"]
            assert re.match(rf"a close by {WHO} was refused: it does not come", caplog.messages[-1])

    @pytest.mark.parametrize("csrf", [None, "", "0" * 64, "é"])
    async def test_without_the_proof(
        self, browser: httpx.AsyncClient, source: MemorySource, csrf: str | None
    ) -> None:
        """
        Without the proof that is bound to the login nothing is closed.
        """
        headers = [(name.encode(), value.encode()) for name, value in SAME.items()]
        if csrf is not None:
            headers.append((b"x-csrf-token", csrf.encode()))
        answer = await browser.post("/api/close", json={"incarnation": 1}, headers=headers)
        assert answer.status_code == 403
        assert "X-CSRF-Token is missing or is not that" in answer.json()["error"]
        assert not source.closed

    async def test_with_the_proof_of_another(
        self, app: ASGIApp, browser: httpx.AsyncClient, clients: Clients, source: MemorySource
    ) -> None:
        """
        The proof of one login is none for another.
        """
        other = clients(app)
        await other.get("/", params={"token": TOKEN})
        answer = await close(browser, {**SAME, "x-csrf-token": await csrf_of(other)})
        assert answer.status_code == 403
        assert not source.closed

    async def test_stranger(self, client: httpx.AsyncClient, source: MemorySource) -> None:
        """
        Nobody closes anything without a login.
        """
        assert (await close(client, SAME)).status_code == 401
        assert not source.closed


class TestProgram:
    async def test_closes(self, program: httpx.AsyncClient, source: MemorySource) -> None:
        """
        A program that sends the token itself needs no proof: no page could make it do so.
        """
        assert (await close(program, {})).status_code == 200
        assert source.closed == [(1, "192.0.2.7")]

    async def test_in_a_foreign_page(self, program: httpx.AsyncClient) -> None:
        """
        A browser that says it comes from elsewhere is refused, whatever it sends.
        """
        assert (await close(program, {"origin": "http://example.org"})).status_code == 403

    async def test_gone(self, program: httpx.AsyncClient) -> None:
        """
        A session that is gone is not found.
        """
        answer = await close(program, {}, 7)
        assert answer.status_code == 404
        assert answer.json() == {"error": "no live session has the incarnation 7"}

    async def test_blocked(
        self,
        program: httpx.AsyncClient,
        source: MemorySource,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """
        A loop that does not answer closes nothing, and that is written down.
        """
        source.blocked = {"seconds": 1.0, "stack": []}
        assert (await close(program, {})).status_code == 503
        (message,) = caplog.messages
        assert message.startswith("a close of life 1 by 192.0.2.7 failed: NotAnsweringError(")

    async def test_failed(
        self,
        program: httpx.AsyncClient,
        source: MemorySource,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """
        Whatever becomes of it, it is written down that somebody wanted it.
        """

        async def fail(incarnation: int, by: str) -> bool:
            raise RuntimeError("broken")

        monkeypatch.setattr(source, "close", fail)
        with pytest.raises(RuntimeError, match="broken"):
            await close(program, {})
        assert caplog.messages[-1] == (
            "a close of life 1 by 192.0.2.7 failed: RuntimeError('broken')"
        )


class TestBody:
    @pytest.mark.parametrize(
        ("content", "status"),
        [
            (b"", 400),
            (b"{", 400),
            (b"\xff", 400),
            (b"1", 400),
            (b"[1]", 400),
            (b"{}", 400),
            (b'{"incarnation": "1"}', 400),
            (b'{"incarnation": 1.0}', 400),
            (b'{"incarnation": true}', 400),
            (b'{"incarnation": NaN}', 400),
            (b'{"incarnation": 0}', 400),
            (b'{"incarnation": 9223372036854775808}', 400),
            (b'{"incarnation": 1, "reason": "idle"}', 400),
            (b"[" * 256, 400),
            (b"9" * 256, 400),
            (b" " * 257, 413),
        ],
    )
    async def test_refused(
        self, program: httpx.AsyncClient, source: MemorySource, content: bytes, status: int
    ) -> None:
        """
        What is not exactly one incarnation closes nothing.
        """
        answer = await program.post("/api/close", content=content, headers=JSON)
        assert answer.status_code == status
        assert answer.json()["error"]
        assert not source.closed

    @pytest.mark.parametrize(
        "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"]
    )
    async def test_other_kind(self, program: httpx.AsyncClient, kind: str) -> None:
        """
        What a form of a foreign page could send is refused.
        """
        answer = await program.post(
            "/api/close", content=b'{"incarnation": 1}', headers={"content-type": kind}
        )
        assert answer.status_code == 415

    async def test_parameters(self, program: httpx.AsyncClient, source: MemorySource) -> None:
        """
        What is to be closed does not stand in the address.
        """
        answer = await program.post("/api/close?incarnation=2", json={"incarnation": 1})
        assert answer.status_code == 400
        assert not source.closed

    async def test_client_goes(self, app: ASGIApp, source: MemorySource) -> None:
        """
        A client that goes within its body closes nothing.
        """
        sent = await self.send(app, asyncio.Event(), b'{"incarnation": 1', goes=True)
        assert sent[0]["status"] == 400
        assert not source.closed

    async def test_client_stalls(
        self, app: ASGIApp, source: MemorySource, clock: VirtualClock
    ) -> None:
        """
        A client that does not send the rest of its body is not waited for long.
        """
        asking = asyncio.create_task(self.send(app, asyncio.Event(), b'{"incarnation": 1'))
        await clock.advance(9)
        assert not asking.done()
        await clock.advance(2)
        assert (await asking)[0]["status"] == 408
        assert not source.closed

    async def send(
        self, app: ASGIApp, more: asyncio.Event, body: bytes, *, goes: bool = False
    ) -> list[dict[str, object]]:
        """
        Send the beginning of a body.
        """
        sent: list[dict[str, object]] = []
        parts = [{"type": "http.request", "body": body, "more_body": True}]

        async def receive() -> dict[str, object]:
            if parts:
                return parts.pop()
            if not goes:
                await more.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        headers = {**JSON, "host": "localhost", "authorization": f"Bearer {TOKEN}"}
        scope = {
            "type": "http",
            "method": "POST",
            "scheme": "http",
            "path": "/api/close",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await app(scope, receive, send)  # type: ignore[arg-type]
        return sent


class TestOff:
    async def test_refused(
        self,
        build: Callable[..., Built],
        clients: Clients,
        source: MemorySource,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """
        Closing is off unless it was allowed, and the answer says how to allow it.
        """
        program = clients(
            build(allow_close=False).app, headers={"authorization": f"Bearer {TOKEN}"}
        )
        answer = await close(program, {})
        assert answer.status_code == 403
        assert "can pass allow_close=True" in answer.json()["error"]
        assert caplog.messages[-1].startswith("a close by 192.0.2.7 was refused: closing is off")
        assert 'data-allow-close="false"' in (await program.get("/")).text
        assert not source.closed


class TestMounted:
    async def test_cookie_is_for_the_proof_only(
        self, open_app: ASGIApp, clients: Clients, source: MemorySource
    ) -> None:
        """
        Mounted, the page sets a cookie of its own to prove that it asked.
        """
        client = clients(open_app)
        csrf = await csrf_of(client)
        assert await csrf_of(client) == csrf
        assert list(client.cookies) == ["sessionstate_8000"]
        assert (await close(client, SAME)).status_code == 403
        assert (await close(client, {"x-csrf-token": csrf})).status_code == 403
        assert not source.closed
        assert (await close(client, {**SAME, "x-csrf-token": csrf})).status_code == 200
        assert re.fullmatch(WHO, source.closed[0][1])

    async def test_cookie_made_up(
        self, open_app: ASGIApp, clients: Clients, source: MemorySource
    ) -> None:
        """
        The proof of a cookie cannot be made from it.
        """
        client = clients(open_app, cookies={"sessionstate_8000": "a" * 43})
        assert (await close(client, {**SAME, "x-csrf-token": "a" * 43})).status_code == 403
        assert not source.closed

    async def test_program(self, open_app: ASGIApp, clients: Clients, source: MemorySource) -> None:
        """
        A program that sends a token to the app around, and no cookie, needs no proof.
        """
        client = clients(open_app, headers={"authorization": "Bearer of the app around"})
        answer = await close(client, {"cookie": "theirs=1"})
        assert answer.status_code == 403
        assert (await close(client, {})).status_code == 200
        assert source.closed == [(1, "192.0.2.7")]

    async def test_body_read_before(
        self, build: Callable[..., Built], clients: Clients, source: MemorySource
    ) -> None:
        """
        An authorize that reads the body leaves it to the page.
        """

        async def authorize(request: object) -> bool:
            return bool(await request.body())  # type: ignore[attr-defined]

        client = clients(build(AskingGate(authorize)).app, headers={"authorization": "Bearer x"})
        assert (await close(client, {})).status_code == 200
