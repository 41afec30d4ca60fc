"""
What the page answers to those who may see it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from sessionstate.dashboard._source import Query
from tests.dashboard.memory_source import STYLE, MemorySource

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from starlette.types import ASGIApp

    from sessionstate.dashboard._app import Built

BLOCKED = {"seconds": 2.5, "stack": ["app.py:7 in wait"]}


class TestPage:
    async def test_shell(self, browser: httpx.AsyncClient) -> None:
        """
        The page knows what it must send along, its title, and what it may do, from attributes.
        """
        answer = await browser.get("/")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert (
            '<body data-title="My &lt;page&gt;" data-allow-close="true" data-sign-out="true">'
        ) in answer.text
        assert "<title>My &lt;page&gt;</title>" in answer.text
        assert "{{" not in answer.text

    async def test_no_placeholder_is_unknown(self, build: Callable[..., Built]) -> None:
        """
        The page that is shipped has no placeholder that nobody fills.
        """
        from sessionstate.dashboard._files import FOLDER, Files

        page = Files(FOLDER, "t").page(csrf="c", allow_close=False, sign_out=False)
        assert b'<meta name="csrf-token" content="c">' in page.body
        assert b"{{" not in page.body
        assert b'data-sign-out="false"' in page.body

    async def test_headers(self, browser: httpx.AsyncClient) -> None:
        """
        Every answer forbids foreign content, frames, referrers, guessing and keeping.
        """
        for path in ("/", "/report", "/api/overview", "/api/nothing", "/login"):
            headers = (await browser.get(path)).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src '")
            assert "unsafe" not in policy
            for part in ("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
                assert part in policy
            assert headers["cache-control"] == "no-store"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cross-origin-opener-policy"] == "same-origin"
            assert headers["cross-origin-resource-policy"] == "same-origin"

    async def test_head(self, browser: httpx.AsyncClient) -> None:
        """
        Whatever may be got may be asked about, and a stream so asked about ends at once.
        """
        for path in ("/", "/report", "/api/overview", "/api/stream", "/api/sessions", "/login"):
            answer = await browser.head(path)
            assert answer.status_code == (303 if path == "/login" else 200), path
        stream = await browser.head("/api/stream")
        assert stream.headers["content-type"].startswith("text/event-stream")

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("POST", "/", 405),
            ("DELETE", "/api/overview", 405),
            ("GET", "/api/close", 405),
            ("BREW", "/api/sessions", 405),
            ("GET", "/api", 404),
            ("GET", "/api/overview/", 404),
            ("GET", "//example.org/", 404),
            ("GET", "/favicon.ico", 404),
        ],
    )
    async def test_nothing_else(
        self, browser: httpx.AsyncClient, method: str, path: str, status: int
    ) -> None:
        """
        What does not exist is answered with 404 or 405, and leads nowhere else.
        """
        answer = await browser.request(method, f"http://127.0.0.1:8000{path}")
        assert answer.status_code == status
        assert "location" not in answer.headers
        if path.startswith("/api/"):
            assert answer.json()["error"]


class TestStatic:
    async def test_types(self, client: httpx.AsyncClient) -> None:
        """
        A file comes with its type, to everybody: the form for the token needs it.
        """
        answer = await client.get("/static/main.js")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.text == "let a = 1;\n"

    @pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
    async def test_kept_copy(self, client: httpx.AsyncClient, form: str) -> None:
        """
        A browser that has a file already is told so.
        """
        tag = (await client.get("/static/main.js")).headers["etag"]
        answer = await client.get("/static/main.js", headers={"if-none-match": form.format(tag)})
        assert answer.status_code == 304
        assert answer.content == b""
        assert answer.headers["etag"] == tag

    async def test_other_copy(self, client: httpx.AsyncClient) -> None:
        """
        A browser that has another version of a file gets this one.
        """
        answer = await client.get("/static/main.js", headers={"if-none-match": '"other"'})
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "name",
        ["index.html", "secret.key", "..%2findex.html", "../index.html", "%00", "a/b.js", ""],
    )
    async def test_only_names_in_the_folder(self, client: httpx.AsyncClient, name: str) -> None:
        """
        No path leads out of the folder, nor to what is no file of the page.
        """
        assert (await client.get(f"/static/{name}")).status_code == 404

    async def test_mounted(
        self, build: Callable[..., Built], clients: Callable[..., httpx.AsyncClient]
    ) -> None:
        """
        Mounted, even the files are for those only whom the app around allows.
        """
        from sessionstate.dashboard._auth import AskingGate

        app = build(AskingGate(lambda request: "x-admin" in request.headers)).app
        client = clients(app)
        assert (await client.get("/static/main.js")).status_code == 403
        answer = await client.get("/static/main.js", headers={"x-admin": "1"})
        assert answer.status_code == 200


class TestFigures:
    async def test_overview(self, browser: httpx.AsyncClient) -> None:
        """
        The overview is what the source says, with the history.
        """
        answer = await browser.get("/api/overview")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["tiles"]["live"] == 2
        assert len(answer.json()["history"]) == 1

    async def test_strict_json(
        self, browser: httpx.AsyncClient, source: MemorySource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        What is not finite is null, as a browser reads no NaN.
        """
        found = await source.overview()
        found["uptime"] = float("nan")
        found["minutes"] = [{"at": float("inf"), "reasons": {"idle": 1}}]

        async def overview(after: int | None = None) -> object:
            return found

        monkeypatch.setattr(source, "overview", overview)
        answer = json.loads((await browser.get("/api/overview")).text, parse_constant=pytest.fail)
        assert answer["uptime"] is None
        assert answer["minutes"] == [{"at": None, "reasons": {"idle": 1}}]
        assert answer["at"] == found["at"]

    async def test_sessions(self, browser: httpx.AsyncClient, source: MemorySource) -> None:
        """
        The table is asked for as the request says.
        """
        answer = await browser.get(
            "/api/sessions?sort=weight&order=asc&search=a+b%C3%A9&state=closing&page=7"
        )
        assert answer.status_code == 200
        assert [row["incarnation"] for row in answer.json()["rows"]] == [1, 2]
        assert source.queries == [Query("weight", "asc", "a bé", "closing", 7)]

    @pytest.mark.parametrize("query", ["", "?", "?sort=&order=&search=&state="])
    async def test_sessions_as_they_come(
        self, browser: httpx.AsyncClient, source: MemorySource, query: str
    ) -> None:
        """
        What is not said, or said to be nothing, is the default.
        """
        assert (await browser.get(f"/api/sessions{query}")).status_code == 200
        assert source.queries == [Query()]

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("sort=name", "sort must be one of age, idle,"),
            ("order=up", "order must be one of asc, desc, not 'up'"),
            ("state=closed", "state must be one of open, idle, closing, not 'closed'"),
            ("page=0", "page must be a number from 1 to"),
            ("page=-1", "page must be a number"),
            ("page=1e3", "page must be a number"),
            ("page=%D9%A1", "page must be a number"),
            ("page=" + "9" * 19, "page must be a number"),
            ("page=" + "9" * 5000, "page must be a number"),
            ("page=", "page must be a number"),
            ("search=" + "a" * 201, "search is 201 characters long"),
            ("search=%ff", "the query is no UTF-8"),
            ("search=%ed%a0%80", "the query is no UTF-8"),
            ("srot=age", "unknown parameter 'srot': known are sort, order,"),
            ("%0aa=1", "unknown parameter '\\na'"),
            ("page=1&page=2", "the parameter page was given twice"),
            ("&".join(["a=1"] * 17), "the query has 17 fields"),
            ("search=" + "a" * 8192, "the query is 8199 bytes long"),
        ],
    )
    async def test_sessions_refused(
        self, browser: httpx.AsyncClient, source: MemorySource, query: str, said: str
    ) -> None:
        """
        A query that makes no sense is answered with one that would.
        """
        answer = await browser.get(f"/api/sessions?{query}")
        assert answer.status_code == 400
        assert said in answer.json()["error"]
        assert not source.queries

    async def test_no_parameters(self, browser: httpx.AsyncClient) -> None:
        """
        What takes no parameters says so.
        """
        answer = await browser.get("/api/overview?a=1")
        assert answer.status_code == 400
        assert answer.json()["error"] == "unknown parameter 'a': it takes none"

    async def test_session(self, browser: httpx.AsyncClient) -> None:
        """
        One session is asked for by its incarnation.
        """
        answer = await browser.get("/api/session?incarnation=2")
        assert answer.json()["id"] == "session-2"

    @pytest.mark.parametrize(
        ("query", "status", "said"),
        [
            ("", 400, "incarnation is missing"),
            ("?incarnation=", 400, "incarnation must be a number"),
            ("?incarnation=session-1", 400, "incarnation must be a number"),
            ("?incarnation=3", 404, "no session has the incarnation 3"),
            ("?incarnation=9223372036854775807", 404, "no session has"),
            ("?incarnation=9223372036854775808", 400, "incarnation must be a number"),
        ],
    )
    async def test_session_refused(
        self, browser: httpx.AsyncClient, query: str, status: int, said: str
    ) -> None:
        """
        A session that is gone is not found, and what is no incarnation is refused.
        """
        answer = await browser.get(f"/api/session{query}")
        assert answer.status_code == status
        assert said in answer.json()["error"]

    @pytest.mark.parametrize("path", ["/api/sessions", "/api/session?incarnation=1", "/report"])
    async def test_blocked(
        self, browser: httpx.AsyncClient, source: MemorySource, path: str
    ) -> None:
        """
        A loop that does not answer is told of, with where it is.
        """
        source.blocked = BLOCKED
        answer = await browser.get(path)
        assert answer.status_code == 503
        assert answer.json() == {
            "error": "the event loop has not answered for 2.5 s",
            "blocked": BLOCKED,
        }
        assert answer.headers["retry-after"] == "1"
        assert (await browser.get("/api/overview")).json()["blocked"] == BLOCKED


class TestReport:
    async def test_html(self, browser: httpx.AsyncClient) -> None:
        """
        The report may have the style that it carries inside, and no other.
        """
        answer = await browser.get("/report")
        assert "<title>Report</title>" in answer.text
        digest = b64encode(sha256(STYLE.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}';" in answer.headers["content-security-policy"]

    @pytest.mark.parametrize(
        ("query", "accept", "expected"),
        [
            ("?format=json", "text/html", "application/json"),
            ("?format=html", "application/json", "text/html; charset=utf-8"),
            ("", "application/json", "application/json"),
            ("", "text/html,application/json;q=0.9", "text/html; charset=utf-8"),
            ("", "*/*", "text/html; charset=utf-8"),
        ],
    )
    async def test_form(
        self, browser: httpx.AsyncClient, query: str, accept: str, expected: str
    ) -> None:
        """
        The report comes as a page or as JSON, as the address or else the header says.
        """
        answer = await browser.get(f"/report{query}", headers={"accept": accept})
        assert answer.headers["content-type"] == expected
        if expected == "application/json":
            assert answer.json() == {"verdict": "bounded"}

    async def test_other_form(self, browser: httpx.AsyncClient) -> None:
        """
        There is no third form.
        """
        answer = await browser.get("/report?format=pdf")
        assert answer.status_code == 400
        assert answer.text == "format must be one of html, json, not 'pdf'\n"


class TestScopes:
    async def test_websocket(self, app: ASGIApp) -> None:
        """
        A WebSocket is turned away.
        """
        sent: list[object] = []

        async def send(message: object) -> None:
            sent.append(message)

        async def receive() -> dict[str, str]:
            return {"type": "websocket.connect"}

        await app({"type": "websocket", "path": "/", "headers": []}, receive, send)
        assert sent == [{"type": "websocket.close", "code": 1008}]

    async def test_lifespan(self, build: Callable[..., Built], source: MemorySource) -> None:
        """
        An app that is not mounted ends its source with its lifespan.
        """
        messages = iter(["lifespan.startup", "lifespan.shutdown"])
        sent: list[str] = []

        async def receive() -> dict[str, str]:
            return {"type": next(messages)}

        async def send(message: dict[str, str]) -> None:
            sent.append(message["type"])

        app: ASGIApp = build(stop=source.stop).app
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
        assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert source.stopped == 1
