"""The live page as an ASGI app: what may be asked for, and the answers."""

from __future__ import annotations

import asyncio
import logging
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial, wraps
from hashlib import sha256
from pathlib import Path
from typing import Final, ParamSpec, Protocol, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sessionstate import Supervisor
from sessionstate._redaction import Redact

from ._answers import POLICY, json_answer, refusal
from ._auth import AskingGate, Authorize, Caller, Gate, TokenGate, refuse_change, set_cookie
from ._files import FOLDER, Files
from ._guard import Guard, Hosts
from ._login import Desk
from ._requests import (
    only,
    parameters,
    read_closing,
    table_query,
    wanted_format,
    wanted_session,
)
from ._source import NotAnsweringError, Source
from ._streams import Streams

logger = logging.getLogger("sessionstate.dashboard")

P = ParamSpec("P")

Endpoint = Callable[[Request, Caller], Awaitable[Response | ASGIApp]]

PATIENCE: Final = 60.0
"""Seconds for which a mounted page goes on looking when nobody asks for anything."""
LONGEST_CLOSING: Final = 256
"""Bytes."""
STYLE: Final = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)
AUTHORIZE: Final = (
    "mounted, the page demands an `authorize` callable, which gets each Request and returns "
    "whether it may see everything: write authorize=lambda request: request.user.is_admin, or "
    "whatever tells your operators from others; not {!r}"
)


class _Report(Protocol):
    def html(self) -> str: ...
    def as_json(self) -> str: ...


class App:
    """
    The endpoints, above a source and behind a gate.

    Args:
        source: Gives what is shown.
        gate: Decides who may see it.
        files: The files of the page.
        allow_close: Whether a session may be closed from the page.
        begin: Called before the source is asked, each time.
    """

    def __init__(
        self,
        source: Source,
        gate: Gate,
        files: Files,
        *,
        allow_close: bool,
        begin: Callable[[], object] = bool,
    ) -> None:
        self._source = source
        self._gate = gate
        self._files = files
        self._allow_close = allow_close
        self._begin = begin
        self.streams = Streams(source)

    def routes(self) -> list[Route]:
        """
        Return what may be asked for.
        """
        return [
            Route("/", self._admitted(self._page, page=True)),
            Route("/report", self._admitted(self._report, page=True)),
            Route("/api/overview", self._admitted(self._overview)),
            Route("/api/stream", self._admitted(self._stream)),
            Route("/api/sessions", self._admitted(self._sessions)),
            Route("/api/session", self._admitted(self._session)),
            Route("/api/close", self._admitted(self._close), methods=["POST"]),
            Route("/static/{name}", self._static),
        ]

    def _admitted(
        self, endpoint: Endpoint, *, page: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        async def admitted(request: Request) -> Response:
            caller = await self._gate.admit(request, page=page)
            if isinstance(caller, Response):
                return caller
            self._begin()
            return cast("Response", await endpoint(request, caller))

        return admitted

    async def _page(self, request: Request, caller: Caller) -> Response:
        response = self._files.page(
            csrf=caller.csrf or "",
            allow_close=self._allow_close,
            sign_out=isinstance(self._gate, TokenGate),
        )
        if caller.cookie is not None:
            set_cookie(request, response, caller.cookie)
        return response

    async def _static(self, request: Request) -> Response:
        # The login form needs them; and everybody has them, who has this package.
        if not isinstance(self._gate, TokenGate):
            caller = await self._gate.admit(request, page=False)
            if isinstance(caller, Response):
                return caller
        return self._files.send(request)

    async def _overview(self, request: Request, _: Caller) -> Response:
        parameters(request)
        return json_answer(await self._source.overview())

    async def _stream(self, request: Request, _: Caller) -> ASGIApp:
        parameters(request)

        async def allowed() -> bool:
            return isinstance(await self._gate.admit(request, page=False), Caller)

        return partial(self.streams.serve, allowed)

    async def _sessions(self, request: Request, _: Caller) -> Response:
        return json_answer(await self._source.sessions(table_query(request)))

    async def _session(self, request: Request, _: Caller) -> Response:
        number = wanted_session(request)
        detail = await self._source.session(number)
        if detail is None:
            raise HTTPException(404, f"no session has the incarnation {number}: it is gone")
        return json_answer(detail)

    async def _report(self, request: Request, _: Caller) -> Response:
        wanted = wanted_format(request)
        report = cast("_Report", await self._source.report())
        if wanted == "json":
            return Response(report.as_json(), media_type="application/json")
        html = report.html()
        # It carries its style inside: that one is allowed by its digest, and no other.
        digests = [
            b64encode(sha256(each.encode()).digest()).decode() for each in STYLE.findall(html)
        ]
        style = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
        return HTMLResponse(html, headers={"content-security-policy": POLICY.format(style=style)})

    async def _close(self, request: Request, caller: Caller) -> Response:
        parameters(request)
        why: str | None
        if not self._allow_close:
            why = "closing is off: whoever made this page can pass allow_close=True"
        else:
            why = refuse_change(request, caller, only(request, "x-csrf-token"), strict=True)
        if why is not None:
            logger.warning("a close by %s was refused: %s", caller.who, why)
            raise HTTPException(403, f"this close was refused: {why}")
        number = await read_closing(request, LONGEST_CLOSING)
        try:
            closed = await self._source.close(number, caller.who)
        except BaseException as error:  # what it does, the source logs
            logger.warning("a close of life %d by %s failed: %r", number, caller.who, error)
            raise
        if not closed:
            raise HTTPException(404, f"no live session has the incarnation {number}")
        return json_answer({"closed": True})


async def _say(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(request, error.status_code, error.detail, error.headers)


async def _say_blocked(_: Request, error: Exception) -> Response:
    assert isinstance(error, NotAnsweringError)
    return json_answer({"error": str(error), "blocked": error.blocked}, 503, {"retry-after": "1"})


@dataclass(frozen=True, slots=True)
class Built:
    """
    An app, and what it takes to end it.
    """

    app: Starlette
    streams: Streams


def build_app(
    source: Source,
    gate: Gate,
    *,
    title: str,
    allow_close: bool,
    hosts: Hosts,
    folder: Path = FOLDER,
    begin: Callable[[], object] = bool,
    stop: Callable[[], object] = bool,
) -> Built:
    """
    Return the app above any source.

    Args:
        source: Gives what is shown.
        gate: Decides who may see it.
        title: Of the page.
        allow_close: Whether a session may be closed from the page.
        hosts: Under which names it may be asked for.
        folder: The files of the page.
        begin: Called before the source is asked, each time.
        stop: Called when the app's lifespan ends; a mounted one has none.
    """
    files = Files(folder, title)
    app = App(source, gate, files, allow_close=allow_close, begin=begin)
    routes = app.routes()
    if isinstance(gate, TokenGate):
        routes += Desk(gate, files).routes()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        app.streams.close()
        stop()

    starlette = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers={HTTPException: _say, NotAnsweringError: _say_blocked},
        lifespan=lifespan,
    )
    # It would lead to an absolute address, made of what the request says.
    starlette.router.redirect_slashes = False
    return Built(starlette, app.streams)


def _demanding(create: Callable[P, Starlette]) -> Callable[P, Starlette]:
    """
    Refuse to go without an `authorize`, with more advice than Python would give.
    """

    @wraps(create)
    def demanding(*args: P.args, **options: P.kwargs) -> Starlette:
        authorize = options.get("authorize")
        if not callable(authorize):
            raise TypeError(AUTHORIZE.format(authorize))
        return create(*args, **options)

    return demanding


@_demanding
def create_app(
    supervisor: Supervisor,
    *,
    authorize: Authorize,
    allow_close: bool = False,
    redact: Redact | None = None,
    title: str = "sessionstate",
    allowed_hosts: Iterable[str] = (),
) -> Starlette:
    """
    Return the live page as an app to mount in another one.

    ::

        app.mount("/sessions", create_app(supervisor, authorize=is_operator))

    It must run in the event loop of *supervisor*, and does not answer while that is blocked:
    `serve_dashboard` does. Every answer but the page's own files needs what *authorize* allows.

    Args:
        supervisor: Whose sessions are shown.
        authorize: Gets each request, and returns, or waits for, whether it may see everything.
            One that fails allows nothing.
        allow_close: Whether sessions may be closed from the page; each is logged, with who did it.
        redact: What is shown of an id: ``"short"``, the default, ``"hash"``, ``"none"`` for all of
            it, or a function.
        title: Of the page.
        allowed_hosts: The names under which the page may be asked for, if the app around does not
            check them; none for all.

    Raises:
        TypeError: If there is no *authorize* that could be called.

    .. versionadded:: 0.1
    """
    check_arguments(supervisor, allow_close)
    from ._probe import Probe  # noqa: PLC0415 - it is not needed to show another's page

    probe = Probe(supervisor, redact=redact, allow_close=allow_close, patience=PATIENCE)

    def begin() -> None:
        check_loop(supervisor)
        probe.start()

    return build_app(
        probe,
        AskingGate(authorize),
        title=title,
        allow_close=allow_close,
        hosts=Hosts(allowed_hosts),
        begin=begin,
        stop=probe.stop,
    ).app


def check_arguments(supervisor: object, allow_close: object) -> None:
    """
    Refuse what is no supervisor, and what would open a door that was meant to be shut.
    """
    if not isinstance(supervisor, Supervisor):
        raise TypeError(f"a dashboard shows a Supervisor, not {supervisor!r}")
    if not isinstance(allow_close, bool):
        raise TypeError(f"allow_close must be True or False, not {allow_close!r}")


def check_loop(supervisor: Supervisor) -> None:
    """
    Refuse to look at a supervisor that does not run yet, or runs in another loop.
    """
    if not supervisor._entered:
        raise HTTPException(503, "the supervisor does not run yet", {"retry-after": "1"})
    if supervisor._running and supervisor._loop is not asyncio.get_running_loop():
        raise HTTPException(
            503,
            "this page is mounted in another event loop than its supervisor's: use "
            "serve_dashboard(), which may be asked from any",
        )
