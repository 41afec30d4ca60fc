"""Answers: as JSON below ``/api/``, as text elsewhere; and the headers that all of them have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response

from ._requests import as_json

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src {style}; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY.format(style="'self'"),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""Of every answer that does not say otherwise."""


def json_answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """
    Return *value* as JSON.
    """
    return Response(as_json(value), status, headers, "application/json")


def refusal(
    request: HTTPConnection,
    status: int,
    message: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """
    Say what is wrong, in the form that the asked part of the page has.
    """
    if "/api/" in request.scope["path"]:
        return json_answer({"error": message}, status, headers)
    return PlainTextResponse(f"{message}\n", status, headers)
