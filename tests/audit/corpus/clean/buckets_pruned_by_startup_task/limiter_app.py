"""
A proxy with a limit for each key.
"""

import asyncio

from aiohttp import web

from buckets import TokenBuckets

buckets = TokenBuckets(rate=5.0, burst=50.0)


async def prune_forever():
    while True:
        await asyncio.sleep(30)
        buckets.prune()


async def start_pruning(app):
    app["pruner"] = asyncio.create_task(prune_forever())


async def stop_pruning(app):
    app["pruner"].cancel()
    await asyncio.gather(app["pruner"], return_exceptions=True)


async def handle(request):
    if not buckets.take(request.headers.get("X-Api-Key", "")):
        raise web.HTTPTooManyRequests()
    return web.Response(text="ok")


app = web.Application()
app.on_startup.append(start_pruning)
app.on_cleanup.append(stop_pruning)
app.router.add_get("/", handle)
