"""
A page's server with made-up data, over HTTP on loopback, in a thread with a loop of its own.

It moves when a test says so, and can be blocked, stopped and begun again on the same port.
"""

from __future__ import annotations

import asyncio
import copy
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from sessionstate.dashboard._source import ROWS, Blocked, Page
from tests.top.data import detail_of, history, overview, row, sample

TOKEN = "a-token-of-the-test"  # noqa: S105
KEYS = {
    "age": "age",
    "idle": "idle",
    "deadline": "expires_in",
    "entries": "entries",
    "resources": "resources",
    "weight": "weight",
}


class MadeUp:
    """
    The server; its data may be changed by the test at any time.
    """

    def __init__(self, sessions: int) -> None:
        self.rows = [row(number) for number in range(1, sessions + 1)]
        self.now = overview(1)
        self.blocked: Blocked | None = None
        self.token = TOKEN
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.closed: list[int] = []
        self.streams = 0
        self.redirect = False
        self.answer: Response | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._changed = asyncio.Event()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """
        Return where it is.
        """
        return f"http://127.0.0.1:{self.port}/"

    def push(self, **changes: Any) -> None:
        """
        Send an update to whoever follows; tiles are changed by ``tiles={...}``.
        """
        made = copy.deepcopy(self.now)
        made["number"] += 1
        made["at"] += 1
        made["sample"] = sample(made["number"])
        made["tiles"].update(changes.pop("tiles", {}))
        made.update(changes)
        self.now = made
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def begin(self) -> None:
        """
        Serve, in a thread.
        """
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen()
        started = threading.Event()

        def serve() -> None:
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                self._changed = asyncio.Event()
                app = Starlette(routes=self._routes())
                config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none")
                self._server = uvicorn.Server(config)
                started.set()
                runner.run(self._server._serve([listening]))

        self._thread = threading.Thread(target=serve)
        self._thread.start()
        started.wait()

    def stop(self) -> None:
        """
        Serve no more; open streams end.
        """
        if self._server is None or self._thread is None or self._loop is None:
            return
        self._server.should_exit = True
        self._loop.call_soon_threadsafe(self._wake)
        self._thread.join()
        self._server = self._thread = self._loop = None

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _routes(self) -> list[Route]:
        return [
            Route("/api/overview", self._overview),
            Route("/api/stream", self._stream),
            Route("/api/sessions", self._sessions),
            Route("/api/session", self._session),
            Route("/api/close", self._close, methods=["POST"]),
        ]

    def _refused(self, request: Request) -> Response | None:
        self.asked.append(str(request.url))
        self.headers.append(dict(request.headers))
        if self.answer is not None:
            return self.answer
        if self.redirect:
            return RedirectResponse("http://127.0.0.1:9/elsewhere")
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"error": "the token is wrong"}, 401)
        if self.blocked is not None and request.url.path.startswith("/api/session"):
            return JSONResponse({"error": "blocked", "blocked": self.blocked}, 503)
        return None

    async def _overview(self, request: Request) -> Response:
        refused = self._refused(request)
        return refused or as_json(self.now | {"history": history()})

    async def _stream(self, request: Request) -> Response:
        refused = self._refused(request)
        return refused or StreamingResponse(self._updates(), media_type="text/event-stream")

    async def _updates(self) -> AsyncIterator[bytes]:
        self.streams += 1
        sent = self.now | {"history": history()}
        try:
            while self._server is not None and not self._server.should_exit:
                yield b": a comment\r\n\r\nevent: update\r\nid: 1\r\ndata: "
                yield json.dumps(sent).encode() + b"\r\n\r\n"
                while self.now["number"] == sent["number"] and not self._server.should_exit:
                    await self._changed.wait()
                sent = self.now
        finally:
            self.streams -= 1

    async def _sessions(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused:
            return refused
        asked = request.query_params
        search = asked.get("search", "").casefold()
        found = [
            row
            for row in self.rows
            if search in row["id"].casefold() and asked.get("state", row["state"]) == row["state"]
        ]
        key = KEYS[asked.get("sort", "age")]
        found.sort(key=lambda row: row[key] or 0.0, reverse=asked.get("order") == "desc")  # type: ignore[literal-required]
        pages = max(1, -(-len(found) // ROWS))
        page = min(int(asked.get("page", "1")), pages)
        rows = found[(page - 1) * ROWS : page * ROWS]
        total = len(self.rows)
        return as_json(Page(total=total, matching=len(found), page=page, pages=pages, rows=rows))

    async def _session(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused:
            return refused
        number = int(request.query_params["incarnation"])
        for each in self.rows:
            if each["incarnation"] == number:
                return as_json(detail_of(each))
        return JSONResponse({"error": "it is gone"}, 404)

    async def _close(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused:
            return refused
        number = (await request.json())["incarnation"]
        if not self.now["allow_close"]:
            return JSONResponse({"error": "closing is off"}, 403)
        before = len(self.rows)
        self.rows = [each for each in self.rows if each["incarnation"] != number]
        if len(self.rows) == before:
            return JSONResponse({"error": "no live session"}, 404)
        self.closed.append(number)
        return JSONResponse({"closed": True})


def as_json(value: object) -> Response:
    """
    Answer in ASCII, with whatever is in a string escaped, as the server does.
    """
    return Response(json.dumps(value), media_type="application/json")


@contextmanager
def serving(sessions: int) -> Iterator[MadeUp]:
    """
    Serve made-up data.
    """
    server = MadeUp(sessions)
    server.begin()
    try:
        yield server
    finally:
        server.stop()
