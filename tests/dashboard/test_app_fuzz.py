"""
Whatever is sent, the answer is right or says what is wrong, and no session ends.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sessionstate.dashboard._auth import AskingGate, TokenGate
from tests.dashboard.conftest import ORIGIN, SAME, TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from sessionstate.dashboard._app import Built
    from tests.dashboard.memory_source import MemorySource

FEW = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
PATHS = (
    "/",
    "/report",
    "/login",
    "/logout",
    "/api/overview",
    "/api/sessions",
    "/api/session",
    "/api/close",
    "/static/main.js",
)
NAMES = ("sort", "order", "search", "state", "page", "incarnation", "format", "token", "csrf")
SENT = (
    "accept",
    "authorization",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "if-none-match",
    "origin",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "transfer-encoding",
    "x-csrf-token",
    "x-forwarded-for",
)
LIKELY = (
    "",
    "1",
    "null",
    "same-origin",
    "cross-site",
    "navigate",
    "document",
    ORIGIN,
    "localhost",
    "[",
    "[::1]:99999",
    "application/json",
    "application/x-www-form-urlencoded",
    "Bearer x",
    "Basic !",
    "sessionstate_8000=" + "a" * 43,
    'sessionstate_8000="\\303\\251"; a; =; ;;',
    "9" * 400,
)
texts = st.text(max_size=30)
quoted = st.binary(max_size=20).map(lambda raw: "".join(f"%{byte:02x}" for byte in raw))
values = st.one_of(quoted, st.sampled_from(LIKELY), st.integers().map(str))
paths = st.one_of(
    st.sampled_from(PATHS),
    st.builds(lambda path, tail: f"{path}/{tail}", st.sampled_from(PATHS), quoted),
    quoted.map(lambda tail: f"/{tail}"),
)
queries = st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), quoted), values), max_size=5).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
methods = st.sampled_from(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X-Y"))
sent_values = st.one_of(st.sampled_from(LIKELY).map(str.encode), st.binary(max_size=30))
sent_headers = st.lists(st.tuples(st.sampled_from(SENT).map(str.encode), sent_values), max_size=4)
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(texts, inner)),
    max_leaves=5,
)
bodies = st.one_of(
    st.binary(max_size=300),
    documents.map(lambda value: json.dumps(value).encode()),
    documents.map(lambda value: json.dumps({"incarnation": value}).encode()),
    queries.map(str.encode),
)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """
    Give one loop for all requests.
    """
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def send(runner: asyncio.Runner) -> Callable[..., httpx.Response]:
    """
    Give a function that sends one request.
    """

    def send(app: ASGIApp, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            answer = await transport.handle_async_request(request)
            await answer.aread()
            return answer

        return runner.run(ask())

    return send


def check(answer: httpx.Response, path: str) -> None:
    """
    The answer is no failure, and has what every answer has.
    """
    assert answer.status_code < 500, answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" in answer.headers
    location = answer.headers.get("location", "./")
    assert location.startswith("./")
    assert "//" not in location
    if answer.status_code >= 400 and answer.content and "/api/" in path:
        assert answer.json()["error"]


class TestAnything:
    @settings(FEW, max_examples=150)
    @given(methods, paths, queries, sent_headers, bodies, st.booleans())
    @example("GET", "/", "token=%ff", [(b"host", b"localhost")], b"", False)
    @example("GET", "/", "a=1", [(b"host", b"[")], b"", True)
    def test_is_answered(  # noqa: PLR0917
        self,
        build: Callable[..., Built],
        send: Callable[..., httpx.Response],
        source: MemorySource,
        method: str,
        path: str,
        query: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        mounted: bool,
    ) -> None:
        """
        No request of a stranger, nor one without a proof, is answered with 5xx or ends a session.
        """
        source.closed.clear()
        gate = AskingGate(lambda request: True) if mounted else TokenGate(TOKEN)
        names = [name for name, _ in headers]
        own = [] if b"host" in names else [(b"host", b"127.0.0.1:8000")]
        url = httpx.URL(ORIGIN).copy_with(raw_path=f"{path}?{query}".encode())
        request = httpx.Request(method, url, headers=[*own, *headers], content=body)
        check(send(build(gate).app, request), url.path)
        if (b"authorization" not in names) or b"cookie" in names:
            assert not source.closed

    @FEW
    @given(st.one_of(bodies), st.sampled_from(("application/json", "text/plain", "")))
    def test_bodies_of_a_program(
        self,
        build: Callable[..., Built],
        send: Callable[..., httpx.Response],
        source: MemorySource,
        body: bytes,
        kind: str,
    ) -> None:
        """
        Of all bodies only one that names a live session ends it.
        """
        source.live = {1: None}
        source.closed.clear()
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": kind}
        request = httpx.Request("POST", f"{ORIGIN}/api/close", headers=headers, content=body)
        answer = send(build().app, request)
        check(answer, "/api/close")
        meant = False
        if kind == "application/json" and answer.status_code == 200:
            document: Any = json.loads(body)
            meant = document == {"incarnation": 1}
        assert [number for number, _ in source.closed] == ([1] if meant else [])

    @FEW
    @given(st.one_of(texts, st.binary(max_size=50)))
    def test_tokens(
        self, build: Callable[..., Built], send: Callable[..., httpx.Response], token: str | bytes
    ) -> None:
        """
        No token but the right one opens the page, in no place where one may stand.
        """
        raw = token if isinstance(token, bytes) else token.encode()
        if raw.strip().decode("latin-1") == TOKEN:
            return
        escaped = "".join(f"%{byte:02x}" for byte in raw)
        form = [("content-type", "application/x-www-form-urlencoded")]
        app = build().app
        url = f"{ORIGIN}/api/overview"
        requests = [
            httpx.Request("GET", url, headers=[(b"authorization", b"Bearer " + raw)]),
            httpx.Request("GET", url, headers=[(b"authorization", raw)]),
            httpx.Request("GET", url, headers=[(b"cookie", b"sessionstate_8000=" + raw)]),
            httpx.Request("GET", f"{ORIGIN}/?token={escaped}"),
            httpx.Request("POST", f"{ORIGIN}/login", headers=form, content=f"token={escaped}"),
        ]
        for request in requests:
            answer = send(app, request)
            assert answer.status_code in (400, 401)
            assert "set-cookie" not in answer.headers

    @FEW
    @given(sent_values, sent_values, st.sampled_from((None, "none", "cross-site", "same-origin")))
    def test_proofs(  # noqa: PLR0917
        self,
        build: Callable[..., Built],
        send: Callable[..., httpx.Response],
        source: MemorySource,
        csrf: bytes,
        cookie: bytes,
        site: str | None,
    ) -> None:
        """
        No proof can be guessed, nor made of a cookie.
        """
        headers = [(name.encode(), value.encode()) for name, value in SAME.items()]
        if site is not None:
            headers[1] = (b"sec-fetch-site", site.encode())
        headers += [(b"x-csrf-token", csrf), (b"cookie", b"sessionstate_8000=" + cookie)]
        request = httpx.Request(
            "POST", f"{ORIGIN}/api/close", headers=headers, json={"incarnation": 1}
        )
        answer = send(build(AskingGate(lambda request: True)).app, request)
        assert answer.status_code in (400, 403)
        assert not source.closed


class TestRaw:
    @FEW
    @given(st.binary(max_size=60), st.text(max_size=20), st.sampled_from(PATHS))
    def test_is_answered(
        self,
        build: Callable[..., Built],
        runner: asyncio.Runner,
        query: bytes,
        tail: str,
        path: str,
    ) -> None:
        """
        Bytes that no client library lets through are answered as well.
        """
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": query, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "path": path + tail,
            "query_string": query,
            "headers": [(b"host", b"localhost"), (b"authorization", b"Bearer " + TOKEN.encode())],
        }
        runner.run(build().app(scope, receive, send))  # type: ignore[arg-type]
        assert statuses[0] < 500
