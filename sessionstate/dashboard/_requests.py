"""What a request says, checked: what is wrong is answered with what would be right."""

from __future__ import annotations

import asyncio
import json
import re
from math import isfinite
from typing import Any, Final, Literal, NoReturn, cast
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from ._source import LONGEST_SEARCH, ORDERS, SORTS, STATES, Query

LONGEST_QUERY: Final = 8192
"""Bytes of a query string."""
MOST_FIELDS: Final = 16
"""Of a query string or form."""
LARGEST: Final = 2**63 - 1
PATIENCE: Final = 10.0
"""Seconds for a body to come."""
NUMBER: Final = re.compile(r"[0-9]{1,19}")


def only(request: Request, name: str) -> str | None:
    """
    Return a header that must not be there twice; None if it is missing.
    """
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise HTTPException(400, f"the header {name} was sent {len(values)} times: send it once")
    return values[0] if values else None


def printable(text: str, longest: int = 100) -> str:
    """
    Return *text* as it may stand in a log or an answer: in one line, and not long.
    """
    shown = text if len(text) <= longest else f"{text[:longest]}..."
    return "".join(each if " " <= each <= "~" else ascii(each)[1:-1] for each in shown)


def fields(raw: bytes) -> list[tuple[bytes, bytes]]:
    """
    Take a query string or form apart.
    """
    if len(raw) > LONGEST_QUERY:
        raise HTTPException(
            400, f"the query is {len(raw)} bytes long: at most {LONGEST_QUERY} are read"
        )
    parts = [part for part in raw.split(b"&") if part]
    if len(parts) > MOST_FIELDS:
        raise HTTPException(
            400, f"the query has {len(parts)} fields: at most {MOST_FIELDS} are read"
        )
    found: list[tuple[bytes, bytes]] = []
    for part in parts:
        name, _, value = part.replace(b"+", b" ").partition(b"=")
        found.append((unquote_to_bytes(name), unquote_to_bytes(value)))
    return found


def parameters(request: Request, *known: str) -> dict[str, str]:
    """
    Return the query of *request*, of which each name must be *known* and occur once.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in fields(request.scope["query_string"]):
        try:
            name, value = raw_name.decode(), raw_value.decode()
        except UnicodeDecodeError:
            raise HTTPException(400, "the query is no UTF-8") from None
        if name not in known:
            expected = f"known are {', '.join(known)}" if known else "it takes none"
            raise HTTPException(400, f"unknown parameter '{printable(name)}': {expected}")
        if name in found:
            raise HTTPException(400, f"the parameter {name} was given twice: give it once")
        found[name] = value
    return found


def table_query(request: Request) -> Query:
    """
    Return which rows of the table are wanted.
    """
    given = parameters(request, "sort", "order", "search", "state", "page")
    sort, order = given.get("sort") or "age", given.get("order") or "desc"
    state, search = given.get("state") or None, given.get("search", "")
    if sort not in SORTS:
        _refuse("sort", sort, SORTS)
    if order not in ORDERS:
        _refuse("order", order, ORDERS)
    if state is not None and state not in STATES:
        _refuse("state", state, STATES)
    if len(search) > LONGEST_SEARCH:
        raise HTTPException(
            400, f"search is {len(search)} characters long: at most {LONGEST_SEARCH} are searched"
        )
    page = _number("page", given.get("page", "1"))
    return Query(sort, order, search, state, page)


def _refuse(name: str, value: str, known: tuple[str, ...]) -> NoReturn:
    raise HTTPException(400, f"{name} must be one of {', '.join(known)}, not '{printable(value)}'")


def wanted_session(request: Request) -> int:
    """
    Return the incarnation that is asked for.
    """
    given = parameters(request, "incarnation")
    if "incarnation" not in given:
        raise HTTPException(400, "incarnation is missing: write ?incarnation=1")
    return _number("incarnation", given["incarnation"])


def wanted_format(request: Request) -> Literal["html", "json"]:
    """
    Return the form in which the report is wanted.
    """
    given = parameters(request, "format").get("format")
    if given is None:
        accepted = request.headers.get("accept", "")
        return "json" if "application/json" in accepted and "text/html" not in accepted else "html"
    if given == "json":
        return "json"
    if given == "html":
        return "html"
    _refuse("format", given, ("html", "json"))


def _number(name: str, text: str) -> int:
    if NUMBER.fullmatch(text) and 1 <= (number := int(text)) <= LARGEST:
        return number
    raise HTTPException(
        400, f"{name} must be a number from 1 to {LARGEST}, not '{printable(text)}'"
    )


async def read_form(request: Request, most: int) -> list[tuple[bytes, bytes]]:
    """
    Return the fields of a form as a browser sends it.
    """
    _check_type(request, "application/x-www-form-urlencoded")
    return fields(await _read(request, most))


async def read_closing(request: Request, most: int) -> int:
    """
    Return the incarnation that a body such as ``{"incarnation": 1}`` names.
    """
    _check_type(request, "application/json")
    try:
        body = json.loads((await _read(request, most)).decode())
    except (ValueError, RecursionError):
        raise HTTPException(400, 'the body is no JSON: send {"incarnation": 1}') from None
    if isinstance(body, dict) and body.keys() == {"incarnation"}:
        number = cast("dict[str, object]", body)["incarnation"]
        if type(number) is int and 1 <= number <= LARGEST:
            return number
    raise HTTPException(
        400, f'the body must be {{"incarnation": N}} with a number from 1 to {LARGEST}'
    )


def _check_type(request: Request, expected: str) -> None:
    given = only(request, "content-type") or ""
    if given.partition(";")[0].strip().lower() != expected:
        raise HTTPException(415, f"the content type must be {expected}, not '{printable(given)}'")


async def _read(request: Request, most: int) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise HTTPException(413, f"the body is too long: at most {most} bytes are read")
    except ClientDisconnect:
        raise HTTPException(400, "the body ended early") from None
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {PATIENCE:g} s") from None
    return bytes(body)


def as_json(value: object) -> str:
    """
    Return *value* as JSON that any reader takes: what is not finite is null.
    """
    try:
        return _dumps(value)
    except ValueError:
        return _dumps(_finite(value))


def _dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {name: _finite(each) for name, each in members.items()}
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [_finite(each) for each in items]
    return value
