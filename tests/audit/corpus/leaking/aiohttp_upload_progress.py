"""The progress of each upload is remembered after its end, because a finished upload only sets a flag in its row."""

import asyncio
import secrets

from aiohttp import web

routes = web.RouteTableDef()


@routes.post("/upload")
async def upload(request: web.Request) -> web.Response:
    upload_id = secrets.token_urlsafe(12)
    progress = request.app["progress"]
    progress[upload_id] = {"received": 0, "done": False}
    request.app["open_uploads"].add(upload_id)
    try:
        async for chunk in request.content.iter_chunked(65536):
            progress[upload_id]["received"] += len(chunk)
    finally:
        request.app["open_uploads"].discard(upload_id)
    progress[upload_id]["done"] = True
    return web.json_response({"id": upload_id})


@routes.get("/upload/{upload_id}")
async def poll(request: web.Request) -> web.Response:
    row = request.app["progress"].get(request.match_info["upload_id"])
    return web.json_response(row or {})


def build() -> web.Application:
    app = web.Application()
    app["progress"] = {}  # leaks SS001: a finished upload is flagged, not forgotten
    app["open_uploads"] = set()  # clean: discarded in a finally
    app["slots"] = asyncio.Semaphore(20)
    app.add_routes(routes)
    return app
