"""
The page that has a token: who gets in, how, and who does not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from sessionstate.dashboard._auth import TokenGate
from tests.dashboard.conftest import ORIGIN, SAME, TOKEN, csrf_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from starlette.types import ASGIApp

    from sessionstate.dashboard._app import Built

    Clients = Callable[..., httpx.AsyncClient]

FORM = {"content-type": "application/x-www-form-urlencoded"}


class TestStranger:
    @pytest.mark.parametrize("path", ["/", "/report"])
    async def test_pages_lead_to_the_form(self, client: httpx.AsyncClient, path: str) -> None:
        """
        A person without a login is led to the form, by an address that fits under any prefix.
        """
        answer = await client.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"] == "./login"

    @pytest.mark.parametrize(
        "path", ["/api/overview", "/api/stream", "/api/sessions", "/api/session?incarnation=1"]
    )
    async def test_figures(self, client: httpx.AsyncClient, path: str) -> None:
        """
        Without a login there are no figures, and the answer says how to get them.
        """
        answer = await client.get(path)
        assert answer.status_code == 401
        assert "Authorization: Bearer" in answer.json()["error"]
        assert answer.headers["www-authenticate"] == "Bearer"

    async def test_token_in_the_address_of_figures(self, client: httpx.AsyncClient) -> None:
        """
        Only a page takes the token from the address, as it takes it out again.
        """
        answer = await client.get("/api/overview", params={"token": TOKEN})
        assert answer.status_code == 401

    @pytest.mark.parametrize("cookie", ["", "x", "a" * 43, "é" * 43, "a" * 5000])
    async def test_made_up_cookie(self, client: httpx.AsyncClient, cookie: str) -> None:
        """
        A cookie that no login set opens nothing.
        """
        header = f"sessionstate_8000={cookie}".encode()
        answer = await client.get("/api/overview", headers=[(b"cookie", header)])
        assert answer.status_code == 401


class TestTokenInTheAddress:
    @pytest.mark.parametrize(
        ("path", "to"),
        [
            ("/?token={}", "./"),
            ("/?a=1&token={}&b=%26%0a", "./?a=1&b=%26%0A"),
            ("/report?format=json&token={}", "./report?format=json"),
            ("/login?token={}", "./"),
        ],
    )
    async def test_exchange(self, client: httpx.AsyncClient, path: str, to: str) -> None:
        """
        The token is exchanged for a cookie, and is gone from the address.
        """
        answer = await client.get(path.format("the%20right+token"))
        assert answer.status_code == 303
        assert answer.headers["location"] == to
        assert "token" not in answer.headers["location"].lower()
        assert (await client.get("/api/overview")).status_code == 200

    async def test_cookie(self, client: httpx.AsyncClient) -> None:
        """
        No script, no foreign page and no other path gets the cookie, which is not the token.
        """
        answer = await client.get("/", params={"token": TOKEN})
        cookie = answer.headers["set-cookie"]
        assert re.fullmatch(
            r"sessionstate_8000=[\w-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=strict", cookie
        )

    async def test_cookie_below_a_prefix(self, app: ASGIApp, clients: Clients) -> None:
        """
        Mounted below a prefix, over TLS, the cookie is for that prefix and for TLS only.
        """
        from starlette.applications import Starlette
        from starlette.routing import Mount

        outer = clients(Starlette(routes=[Mount("/a b/x", app)]), base_url="https://localhost")
        answer = await outer.get("/a b/x/?token=the+right+token")
        assert answer.headers["location"] == "./"
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("sessionstate_page=")
        assert "; Path=/a%20b/x/;" in cookie
        assert cookie.endswith("; Secure")

    async def test_wrong(self, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
        """
        A wrong token is told of, to whoever sent it and in the log, where it does not stand.
        """
        answer = await client.get("/?token=secret-guess")
        assert answer.status_code == 401
        assert answer.text == "the token is wrong\n"
        assert "set-cookie" not in answer.headers
        assert caplog.messages == ["a wrong token came from 192.0.2.7"]

    async def test_wrong_in_spite_of_a_login(self, browser: httpx.AsyncClient) -> None:
        """
        A wrong token is wrong even for somebody who is logged in.
        """
        assert (await browser.get("/?token=old")).status_code == 401


class TestBearer:
    async def test_right(self, program: httpx.AsyncClient) -> None:
        """
        A program sends the token each time, and gets no cookie.
        """
        for path in ("/", "/api/overview", "/report"):
            answer = await program.get(path)
            assert answer.status_code == 200
            assert "set-cookie" not in answer.headers
        assert await csrf_of(program) == ""

    @pytest.mark.parametrize(
        "header",
        [b"Bearer", b"Bearer ", b"Bearer \xff\xfe", "Bearer ☃".encode(), b"bearer x" * 1000],
    )
    async def test_wrong(self, client: httpx.AsyncClient, header: bytes) -> None:
        """
        Whatever bytes come for a token, they are compared and found wrong.
        """
        answer = await client.get("/api/overview", headers=[(b"authorization", header)])
        assert answer.status_code == 401
        assert answer.json() == {"error": "the token is wrong"}

    async def test_wrong_in_spite_of_a_cookie(self, browser: httpx.AsyncClient) -> None:
        """
        Who sends a wrong token is not let in for a cookie.
        """
        answer = await browser.get("/", headers={"authorization": "Bearer x"})
        assert answer.status_code == 401

    @pytest.mark.parametrize("header", ["Basic dXNlcjpwYXNz", "Digest", ""])
    async def test_other_scheme(self, client: httpx.AsyncClient, header: str) -> None:
        """
        Another scheme is no token at all.
        """
        answer = await client.get("/api/overview", headers={"authorization": header})
        assert answer.status_code == 401
        assert "the token is missing" in answer.json()["error"]

    async def test_twice(self, client: httpx.AsyncClient) -> None:
        """
        A header that must stand alone is refused if it is there twice.
        """
        header = ("authorization", f"Bearer {TOKEN}")
        answer = await client.get("/api/overview", headers=[header, header])
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("the header authorization was sent 2 times")

    async def test_token_beyond_ascii(self, build: Callable[..., Built], clients: Clients) -> None:
        """
        A token may be any text, and is compared by its UTF-8.
        """
        client = clients(build(TokenGate("žluťoučký \udcff")).app)
        raw = "žluťoučký ".encode() + b"\xff"
        answer = await client.get("/api/overview", headers=[(b"authorization", b"Bearer " + raw)])
        assert answer.status_code == 200
        assert (await client.get("/?token=%C5%BElu%C5%A5ou%C4%8Dk%C3%BD+%FF")).status_code == 303


class TestForm:
    async def test_needs_no_script(self, client: httpx.AsyncClient) -> None:
        """
        The form is plain HTML, posts to its own address, and shows no token.
        """
        answer = await client.get("/login")
        assert answer.status_code == 200
        assert '<form method="post" action="login">' in answer.text
        assert '<link rel="stylesheet" href="static/dashboard.css">' in answer.text
        assert "<script" not in answer.text
        assert "My &lt;page&gt;" in answer.text

    @pytest.mark.parametrize("headers", [{}, SAME, {"origin": "null"}])
    async def test_right(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        """
        The right token leads to the page; the form of a page without a referrer has no origin.
        """
        answer = await client.post("/login", data={"token": TOKEN}, headers=headers)
        assert answer.status_code == 303
        assert answer.headers["location"] == "./"
        assert (await client.get("/")).status_code == 200

    async def test_wrong(self, client: httpx.AsyncClient) -> None:
        """
        A wrong token leads to the form again, which says so.
        """
        answer = await client.post("/login", data={"token": "x"})
        assert answer.status_code == 401
        assert '<p role="alert">The token is wrong.</p>' in answer.text
        assert answer.headers["www-authenticate"]
        assert "<form" in answer.text

    @pytest.mark.parametrize(
        ("content", "headers", "status"),
        [
            (b"", FORM, 400),
            (b"tokin=x", FORM, 400),
            (b"token=x", {}, 415),
            (b"token=x", {"content-type": "multipart/form-data; boundary=x"}, 415),
            (b"token=" + b"x" * 2048, FORM, 413),
            (b"token=%ff%00%zz", FORM, 401),
            (b"&=&" * 20, FORM, 400),
        ],
    )
    async def test_no_form(
        self, client: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int
    ) -> None:
        """
        What is no form with a token, or a long one, is refused.
        """
        answer = await client.post("/login", content=content, headers=headers)
        assert answer.status_code == status
        assert "set-cookie" not in answer.headers

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "http://127.0.0.1:9000"},
            {"origin": "http://example.org"},
            {"sec-fetch-site": "same-site"},
            {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
        ],
    )
    async def test_foreign(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        """
        No other page can log anybody in, nor use up the attempts.
        """
        answer = await client.post("/login", data={"token": TOKEN}, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers

    async def test_already(self, browser: httpx.AsyncClient) -> None:
        """
        Who is logged in is led past the form.
        """
        answer = await browser.get("/login")
        assert answer.status_code == 303
        assert answer.headers["location"] == "./"
