"""An export that nobody downloads stays in memory, because its age is looked at by the download of that same export."""

import io
import time
import uuid

from aiohttp import web


def make_app(build_report) -> web.Application:
    exports = {}  # leaks SS002g: removed by download(), when it is old and asked for
    formats = {"csv": "text/csv", "json": "application/json"}  # clean: constant
    routes = web.RouteTableDef()

    @routes.post("/exports/{kind}")
    async def create(request):
        if request.match_info["kind"] not in formats:
            raise web.HTTPNotFound
        name = uuid.uuid4().hex
        buffer = io.BytesIO()
        await build_report(request, buffer)
        exports[name] = (time.time(), formats[request.match_info["kind"]], buffer)
        return web.json_response({"name": name})

    @routes.get("/download/{name}")
    async def download(request):
        name = request.match_info["name"]
        if name not in exports:
            raise web.HTTPNotFound
        made, content_type, buffer = exports[name]
        if time.time() - made > 900:
            exports.pop(name)
            raise web.HTTPGone
        return web.Response(body=buffer.getvalue(), content_type=content_type)

    app = web.Application()
    app.add_routes(routes)
    return app
