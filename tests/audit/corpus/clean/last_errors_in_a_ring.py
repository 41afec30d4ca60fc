"""
A deque with a maximum length pushes the oldest error out.
"""
import traceback
from collections import deque

from aiohttp import web

last_errors = deque(maxlen=64)  # clean: maxlen


@web.middleware
async def keep_errors(request, handler):
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        last_errors.append((request.headers.get("X-Request-ID"), traceback.format_exc()))
        raise


async def list_errors(request):
    return web.json_response([{"request_id": rid, "trace": tb} for rid, tb in last_errors])


def make_app():
    app = web.Application(middlewares=[keep_errors])
    app.router.add_get("/_errors", list_errors)
    return app
