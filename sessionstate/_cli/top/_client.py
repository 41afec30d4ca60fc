"""
The client of the page's server.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self, cast

import httpx

from sessionstate._cli.top._address import Address
from sessionstate._cli.top._server_events import ServerEvents, TooLongError
from sessionstate._cli.top._words import cut, duration
from sessionstate.dashboard._source import (
    Blocked,
    Detail,
    Order,
    Overview,
    Page,
    Sort,
    State,
    Tiles,
)

CONNECT: Final = 5.0
"""Seconds for a connection."""
ANSWER: Final = 10.0
"""Seconds for an answer; a blocked loop is told within a few."""
SILENCE: Final = 30.0
"""Seconds without a byte on the stream, which has at least a comment each 15 seconds."""
IDLE: Final = 2.0
"""Seconds that a connection is kept: fewer than a server's, which would close it in our hands."""
LONGEST_ANSWER: Final = 64 * 2**20


def keys_of(shape: type) -> frozenset[str]:
    """
    Return what an answer of that shape must have.
    """
    # `__required_keys__` does not know those that are not required where annotations are strings.
    return frozenset(shape.__annotations__) - {"history"}


TILES: Final = keys_of(Tiles)
OVERVIEW: Final = keys_of(Overview)
PAGE: Final = keys_of(Page)
DETAIL: Final = keys_of(Detail)


class ServerError(Exception):
    """
    The server gives no answer to use; the message says why, in one line.
    """


class UnreachableError(ServerError):
    """
    Nobody answers.
    """


class WrongTokenError(ServerError):
    """
    The token is missing or another.
    """


class NotThePageError(ServerError):
    """
    Something answers, and it is not the page, or another version of it.
    """


class LoopBlockedError(ServerError):
    """
    The server answers that the event loop does not.
    """

    def __init__(self, blocked: Blocked) -> None:
        self.blocked = blocked
        super().__init__(f"the event loop has not answered for {duration(blocked['seconds'])}")


class Client:
    """
    Asks the server at an address; an async context manager that closes its connections.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        headers = {"User-Agent": "sessionstate-top"}
        if address.token is not None:
            headers["Authorization"] = f"Bearer {address.token}"
        self._http = httpx.AsyncClient(
            base_url=address.url,
            headers=headers,
            timeout=httpx.Timeout(ANSWER, connect=CONNECT),
            limits=httpx.Limits(keepalive_expiry=IDLE),
            # A redirect would be given the token, and so would a proxy that a local server has not.
            follow_redirects=False,
            trust_env=not address.is_local,
            # Certificates take longer to load than a local server to answer.
            verify=address.url.startswith("https:"),
        )

    @property
    def is_closed(self) -> bool:
        """
        Tell whether its connections are closed.
        """
        return self._http.is_closed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def overview(self) -> Overview:
        """
        Return the newest update, with the history.
        """
        return _overview(await self._json("GET", "api/overview"))

    async def updates(self) -> AsyncIterator[Overview]:
        """
        Yield updates as they come; the first has the history. Ends when the server ends it.
        """
        timeout = httpx.Timeout(CONNECT, read=SILENCE)
        headers = {"Accept": "text/event-stream"}
        async with self._answer("GET", "api/stream", timeout=timeout, headers=headers) as answer:
            if answer.status_code != HTTPStatus.OK:
                _refuse(answer, await _body(answer))
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                raise NotThePageError(f"{self.address.url} sends no stream of events")
            events = ServerEvents()
            async with aclosing(cast("Any", answer.aiter_bytes())) as chunks:
                async for chunk in chunks:
                    try:
                        for event in events.feed(chunk):
                            if event.name == "update":
                                yield _overview(_parsed(event.data))
                    except TooLongError as error:
                        raise NotThePageError(f"{self.address.url} sends {error}") from error

    async def sessions(
        self,
        *,
        sort: Sort = "age",
        order: Order = "desc",
        search: str = "",
        state: State | None = None,
        page: int = 1,
    ) -> Page:
        """
        Return a page of the table.

        Raises:
            LoopBlockedError: If the loop does not answer.
        """
        asked: dict[str, str | int] = {"sort": sort, "order": order, "page": page}
        asked |= {"search": search} if search else {}
        asked |= {"state": state} if state else {}
        answer = await self._json("GET", "api/sessions", params=asked)
        return cast("Page", _object(answer, PAGE))

    async def session(self, incarnation: int) -> Detail | None:
        """
        Return all of one session; None if there is none.

        Raises:
            LoopBlockedError: If the loop does not answer.
        """
        asked = {"incarnation": incarnation}
        try:
            answer = await self._json("GET", "api/session", params=asked)
        except _NotFoundError:
            return None
        return cast("Detail", _object(answer, DETAIL))

    async def close(self, incarnation: int) -> bool:
        """
        Ask for the end of a session, and tell whether this decided it.

        Raises:
            LoopBlockedError: If the loop does not answer.
        """
        try:
            answer = await self._json("POST", "api/close", json={"incarnation": incarnation})
        except _NotFoundError:
            return False
        return isinstance(answer, dict) and cast("dict[str, object]", answer).get("closed") is True

    async def _json(self, method: str, path: str, **options: Any) -> object:  # noqa: ANN401
        async with self._answer(method, path, **options) as answer:
            body = await _body(answer)
            if not answer.is_success:
                _refuse(answer, body)
            return _parsed(body)

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        **options: Any,  # noqa: ANN401
    ) -> AsyncIterator[httpx.Response]:
        url = self.address.url
        try:
            async with self._http.stream(method, path, **options) as answer:
                yield answer
        except httpx.TimeoutException as error:
            raise UnreachableError(f"{url} does not answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            why = cut(error, 200) or type(error).__name__
            raise UnreachableError(f"{url} cannot be reached: {why}") from error


class _NotFoundError(NotThePageError):
    pass


async def _body(answer: httpx.Response) -> str:
    parts: list[bytes] = []
    length = 0
    async for chunk in answer.aiter_bytes():
        length += len(chunk)
        if length > LONGEST_ANSWER:
            raise NotThePageError(f"an answer of more than {LONGEST_ANSWER} bytes")
        parts.append(chunk)
    return b"".join(parts).decode("utf-8", "replace")


def _refuse(answer: httpx.Response, body: str) -> None:
    """
    Raise what an answer that is none means.
    """
    where = f"{str(answer.url).partition('?')[0]}"
    try:
        told: object = json.loads(body)
    except ValueError:
        told = None
    known = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    why = cut(known.get("error", ""), 300)
    status = answer.status_code
    if status == HTTPStatus.UNAUTHORIZED:
        raise WrongTokenError(f"{where} does not accept the token: {why or 'it says no more'}")
    blocked = known.get("blocked")
    if isinstance(blocked, dict) and {"seconds", "stack"} <= cast("dict[str, Any]", blocked).keys():
        raise LoopBlockedError(cast("Blocked", blocked))
    if status == HTTPStatus.NOT_FOUND and "error" in known:
        raise _NotFoundError(f"{where}: {why}")
    if why:
        raise ServerError(f"{where} answers {status}: {why}")
    raise NotThePageError(f"{where} answers {status}: that is no page of sessionstate")


def _parsed(text: str) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotThePageError("the answer is no JSON: that is no page of sessionstate") from error
    return found


def _object(found: object, keys: frozenset[str]) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise NotThePageError("the answer is no JSON object: that is no page of sessionstate")
    known = cast("dict[str, Any]", found)
    missing = keys - known.keys()
    if missing:
        names = ", ".join(sorted(missing))
        raise NotThePageError(f"the answer lacks {names}: another version of sessionstate?")
    return known


def _overview(found: object) -> Overview:
    known = _object(found, OVERVIEW)
    _object(known["tiles"], TILES)
    return cast("Overview", known)
