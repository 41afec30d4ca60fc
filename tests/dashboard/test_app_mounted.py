"""
The page inside of another app, which says who may see it.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount

import sessionstate.dashboard
from sessionstate import Supervisor
from sessionstate.dashboard import create_app
from sessionstate.dashboard._auth import AskingGate
from tests.dashboard.conftest import SAME, csrf_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from sessionstate.dashboard._app import Built
    from tests.dashboard.memory_source import MemorySource

    Clients = Callable[..., httpx.AsyncClient]

PATHS = ("/", "/report", "/api/overview", "/api/stream", "/api/sessions", "/static/main.js")


class TestAuthorize:
    @pytest.mark.parametrize("options", [{}, {"authorize": None}, {"authorize": "admin"}])
    def test_demanded(self, options: dict[str, Any]) -> None:
        """
        Nobody mounts the page without saying who may see it.
        """
        with pytest.raises(TypeError, match="mounted, the page demands an `authorize` callable"):
            create_app(Supervisor(), **options)

    def test_supervisor(self) -> None:
        """
        What is no supervisor has no page.
        """
        sure: Any = "no"
        with pytest.raises(TypeError, match="allow_close must be True or False, not 'no'"):
            create_app(Supervisor(default=False), authorize=bool, allow_close=sure)
        with pytest.raises(TypeError, match="a dashboard shows a Supervisor, not None"):
            create_app(None, authorize=bool)  # type: ignore[arg-type]

    @pytest.mark.parametrize("path", PATHS)
    async def test_asked_for_each_request(
        self, build: Callable[..., Built], clients: Clients, path: str
    ) -> None:
        """
        Everything is asked for, with the request as the app around sees it.
        """
        seen: list[str] = []

        async def authorize(request: Request) -> bool:
            seen.append(request.url.path)
            return False

        answer = await clients(build(AskingGate(authorize)).app).get(path)
        assert answer.status_code == 403
        assert "its authorize said no" in answer.text
        assert seen == [path]

    @pytest.mark.parametrize("answer", [True, 1, "admin"])
    async def test_truth(
        self, build: Callable[..., Built], clients: Clients, answer: object
    ) -> None:
        """
        What is true allows.
        """
        client = clients(build(AskingGate(lambda request: answer)).app)
        assert (await client.get("/api/overview")).status_code == 200

    @pytest.mark.parametrize(
        "error", [RuntimeError("broken"), HTTPException(401), KeyError("user")]
    )
    async def test_failing(
        self,
        build: Callable[..., Built],
        clients: Clients,
        caplog: pytest.LogCaptureFixture,
        error: Exception,
    ) -> None:
        """
        One that fails allows nothing, and its error is in the log.
        """

        def authorize(request: Request) -> bool:
            raise error

        answer = await clients(build(AskingGate(authorize)).app).get("/api/overview")
        assert answer.status_code == 403
        (record,) = caplog.records
        assert record.name == "sessionstate.dashboard"
        assert record.levelno == logging.ERROR
        assert record.exc_info is not None
        assert record.exc_info[1] is error

    async def test_no_truth(self, build: Callable[..., Built], clients: Clients) -> None:
        """
        An answer that is neither true nor false allows nothing.
        """

        class Odd:
            def __bool__(self) -> bool:
                raise ValueError("neither")

        client = clients(build(AskingGate(lambda request: Odd())).app)
        assert (await client.get("/")).status_code == 403

    async def test_no_form(self, open_app: ASGIApp, clients: Clients) -> None:
        """
        There is no token, so there is no form for it, nor a way to sign out.
        """
        client = clients(open_app)
        for path in ("/login", "/logout"):
            assert (await client.get(path)).status_code == 404
            assert (await client.post(path)).status_code == 404
        assert 'data-sign-out="false"' in (await client.get("/?token=x")).text


class TestPrefix:
    @pytest.mark.parametrize("prefix", ["/sessions", "/a/b c/ž"])
    async def test_all_below_it(
        self, open_app: ASGIApp, clients: Clients, source: MemorySource, prefix: str
    ) -> None:
        """
        The page works under any prefix, and its cookie goes no further.
        """
        client = clients(Starlette(routes=[Mount(prefix, open_app)]), follow_redirects=True)
        csrf = await csrf_of(client, prefix)
        (cookie,) = client.cookies.jar
        assert cookie.path.startswith(f"/{prefix[1]}")
        assert cookie.path.endswith("/")
        for path in PATHS:
            if path != "/api/stream":
                assert (await client.get(f"{prefix}{path}")).status_code == 200
        answer = await client.post(
            f"{prefix}/api/close",
            json={"incarnation": 1},
            headers={**SAME, "x-csrf-token": csrf},
        )
        assert answer.status_code == 200


class TestSource:
    async def test_begun_when_it_is_asked(
        self, build: Callable[..., Built], clients: Clients, source: MemorySource
    ) -> None:
        """
        Nothing is measured before somebody who may see it asks.
        """
        app = build(
            AskingGate(lambda request: "x-admin" in request.headers), begin=source.start
        ).app
        client = clients(app)
        await client.get("/api/overview")
        assert source.begun == 0
        await client.get("/api/overview", headers={"x-admin": "1"})
        assert source.begun == 1


class TestExtra:
    @pytest.mark.parametrize(
        ("name", "missing"),
        [
            ("create_app", "starlette"),
            ("create_app", "sse_starlette"),
            ("serve_dashboard", "uvicorn"),
        ],
    )
    def test_missing(self, name: str, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Without the extra, whoever asks for the page is told what to install.
        """
        monkeypatch.delitem(vars(sessionstate.dashboard), name, raising=False)
        monkeypatch.setitem(sys.modules, missing, None)
        with pytest.raises(ImportError) as caught:
            getattr(sessionstate.dashboard, name)
        assert str(caught.value) == (
            f"sessionstate.dashboard needs {missing!r}: pip install 'sessionstate[dashboard]'"
        )

    def test_public_names(self) -> None:
        """
        Every public name is there, says where it lives, and is listed.
        """
        for name in sessionstate.dashboard.__all__:
            assert getattr(sessionstate.dashboard, name).__module__ == "sessionstate.dashboard"
            assert name in dir(sessionstate.dashboard)
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            _ = sessionstate.dashboard.nothing  # type: ignore[attr-defined]
