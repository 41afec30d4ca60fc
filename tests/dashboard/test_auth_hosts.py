"""
Requests that come under a foreign name, or for a foreign page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessionstate.dashboard._guard import LOOPBACK, Hosts
from tests.dashboard.conftest import TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from starlette.types import ASGIApp

    from sessionstate.dashboard._app import Built

    Clients = Callable[..., httpx.AsyncClient]

BEARER = {"authorization": f"Bearer {TOKEN}"}
NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


async def ask(client: httpx.AsyncClient, host: str) -> httpx.Response:
    """
    Ask for the figures under the name *host*.
    """
    return await client.get("/api/overview", headers={**BEARER, "host": host})


class TestHosts:
    @pytest.mark.parametrize(
        "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:9000", "[::1]"]
    )
    async def test_loopback(self, client: httpx.AsyncClient, host: str) -> None:
        """
        The names of the loopback lead here under any port: a tunnel changes it.
        """
        assert (await ask(client, host)).status_code == 200

    @pytest.mark.parametrize(
        "host", ["example.org", "example.org:8000", "127.0.0.1.example.org", "192.0.2.1", "0"]
    )
    async def test_foreign_name(self, client: httpx.AsyncClient, host: str) -> None:
        """
        A name that was made to lead here is refused, and the answer names what would allow it.
        """
        answer = await ask(client, host)
        assert answer.status_code == 421
        assert f"pass allowed_hosts=('{host}',)" in answer.json()["error"]

    @pytest.mark.parametrize("host", ["", "[", "a b", "localhost:", "localhost:x", "é", "a" * 9999])
    async def test_no_name(self, client: httpx.AsyncClient, host: str) -> None:
        """
        What is no name is refused in one line of plain text.
        """
        answer = await client.get("/", headers=[(b"host", host.encode())])
        assert answer.status_code in (400, 421)
        assert len(answer.text.splitlines()) == 1
        assert answer.text.isascii()
        assert len(answer.text) < 500

    async def test_twice(self, client: httpx.AsyncClient) -> None:
        """
        Two names are none.
        """
        hosts = [(b"host", b"localhost"), (b"host", b"example.org")]
        assert (await client.get("/", headers=hosts)).status_code == 400

    async def test_missing(self, app: ASGIApp) -> None:
        """
        A request without a name is refused.
        """
        sent: list[dict[str, object]] = []

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
        await app(scope, None, send)  # type: ignore[arg-type]
        assert sent[0]["status"] == 400
        assert sent[1]["body"] == b"the header Host is missing\n"

    async def test_more(self, build: Callable[..., Built], clients: Clients) -> None:
        """
        A name may be allowed, with the port or for every port.
        """
        hosts = Hosts(["one.example:8443", "Two.example"], *LOOPBACK)
        client = clients(build(hosts=hosts).app)
        found = {
            host: (await ask(client, host)).status_code
            for host in ("one.example:8443", "one.example", "two.EXAMPLE:1", "two.example")
        }
        assert list(found.values()) == [200, 421, 200, 200]

    async def test_addresses(self, build: Callable[..., Built], clients: Clients) -> None:
        """
        Where everything is listened to, every address is allowed: only a name can be made to lead.
        """
        client = clients(build(hosts=Hosts((), *LOOPBACK, addresses=True)).app)
        assert (await ask(client, "192.0.2.1:8000")).status_code == 200
        assert (await ask(client, "[2001:db8::1]")).status_code == 200
        assert (await ask(client, "example.org")).status_code == 421

    async def test_none(self, build: Callable[..., Built], clients: Clients) -> None:
        """
        Without names, they are the business of the app around.
        """
        client = clients(build(hosts=Hosts(())).app)
        for host in ("example.org", "[", "é"):
            answer = await client.get("/api/overview", headers=[(b"host", host.encode())])
            assert answer.status_code == 401

    @pytest.mark.parametrize("name", ["", "http://a", "a/b", "*", "::1", None, 7])
    def test_no_host(self, name: object) -> None:
        """
        What is no name is refused where it is given, with what is one.
        """
        with pytest.raises(ValueError, match="which is no host: write a name, or name:port"):
            Hosts([name])  # type: ignore[list-item]

    def test_one_text(self) -> None:
        """
        One name alone is told from several.
        """
        with pytest.raises(TypeError, match=r"must be several names, such as \('a.example',\)"):
            Hosts("a.example")


class TestForeignPages:
    @pytest.mark.parametrize("site", ["cross-site", "same-site", "unheard-of"])
    @pytest.mark.parametrize("path", ["/", "/api/overview", "/static/main.js", "/?token=x"])
    async def test_parts(self, client: httpx.AsyncClient, path: str, site: str) -> None:
        """
        No page of another site, nor of another port, can have this one as a part of it.
        """
        headers = {**BEARER, "sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 403
        assert "another site's page" in answer.text

    async def test_links(self, client: httpx.AsyncClient) -> None:
        """
        A link on another site may be followed, but no form sent, and no frame filled.
        """
        link = {**BEARER, "sec-fetch-site": "cross-site", **NAVIGATION}
        assert (await client.get("/", headers=link)).status_code == 200
        assert (await client.head("/", headers=link)).status_code == 200
        assert (await client.post("/login", headers=link)).status_code == 403
        frame = {**link, "sec-fetch-dest": "iframe"}
        assert (await client.get("/", headers=frame)).status_code == 403

    @pytest.mark.parametrize("site", ["none", "same-origin"])
    async def test_own(self, client: httpx.AsyncClient, site: str) -> None:
        """
        What a person types, and what the page itself asks for, is answered.
        """
        answer = await client.get("/api/overview", headers={**BEARER, "sec-fetch-site": site})
        assert answer.status_code == 200
