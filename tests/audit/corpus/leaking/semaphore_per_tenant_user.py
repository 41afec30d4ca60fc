"""Each user's semaphore stays in the application, because the middleware makes it at the first request and never looks back."""

import asyncio

from aiohttp import web


@web.middleware
async def one_at_a_time(request: web.Request, handler):
    gates = request.app["gates"]
    user = request.headers.get("X-User", request.remote)
    if user not in gates:
        gates[user] = asyncio.Semaphore(2)
    async with gates[user]:
        return await handler(request)


async def slow(request: web.Request) -> web.Response:
    await asyncio.sleep(request.app["pauses"].get(request.query.get("how"), 1))
    return web.Response(text="done")


def app_factory() -> web.Application:
    app = web.Application(middlewares=[one_at_a_time])
    app["gates"] = {}  # leaks SS009: one semaphore for each user ever seen
    app["pauses"] = {"short": 1, "long": 5}  # clean: constant
    app.router.add_get("/slow", slow)
    return app
