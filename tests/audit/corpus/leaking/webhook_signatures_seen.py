"""Signatures of webhooks are remembered without a time, because the set that refuses a repeated one has no end of its window."""

import hashlib
import hmac
import os

from aiohttp import web

SECRET = os.environ.get("WEBHOOK_SECRET", "").encode()
_processed: set[str] = set()  # leaks SS007: each signature for ever, though the window is five minutes
_kinds = {"push", "issue", "comment"}  # clean: constant


async def webhook(request: web.Request) -> web.Response:
    body = await request.read()
    signature = request.headers.get("X-Signature", "")
    expected = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature, expected):
        raise web.HTTPUnauthorized
    if signature in _processed:
        raise web.HTTPConflict(text="seen before")
    _processed.add(signature)
    if request.headers.get("X-Kind") in _kinds:
        await request.app["queue"].put(body)
    return web.Response(status=202)
