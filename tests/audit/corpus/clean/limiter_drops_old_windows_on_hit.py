"""
Each hit first throws away every window of an earlier minute, whoever it belonged to.
"""
from __future__ import annotations

import time

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

PER_MINUTE = 120
_windows: dict[tuple[str, int], int] = {}  # clean: rebound to the current minute at each hit


def allow(client: str) -> bool:
    global _windows
    minute = int(time.time() // 60)
    _windows = {key: n for key, n in _windows.items() if key[1] == minute}
    n = _windows.get((client, minute), 0) + 1
    _windows[client, minute] = n
    return n <= PER_MINUTE


async def index(request: Request) -> PlainTextResponse:
    host = request.client.host if request.client else "?"
    if not allow(host):
        return PlainTextResponse("slow down", status_code=429)
    return PlainTextResponse("hello")


app = Starlette(routes=[Route("/", index)])
