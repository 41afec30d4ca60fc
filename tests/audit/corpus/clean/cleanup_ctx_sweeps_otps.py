"""
A cleanup context of aiohttp runs the sweeping loop for as long as the application runs.
"""

import asyncio
import contextlib
import secrets
import time

from aiohttp import web


async def otp_sweeper(app: web.Application):
    async def loop() -> None:
        while True:
            await asyncio.sleep(20)
            now = time.monotonic()
            codes = app["codes"]
            for phone in [p for p, (_, until) in codes.items() if until < now]:
                codes.pop(phone, None)

    task = asyncio.create_task(loop())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def send(request: web.Request) -> web.Response:
    phone = (await request.post())["phone"]
    request.app["codes"][phone] = (secrets.randbelow(10**6), time.monotonic() + 180)
    return web.Response(text="sent")


async def verify(request: web.Request) -> web.Response:
    form = await request.post()
    code, until = request.app["codes"].get(form["phone"], (None, 0))
    good = str(code) == form["code"] and until >= time.monotonic()
    return web.Response(status=200 if good else 401)


def create_app() -> web.Application:
    app = web.Application()
    app["codes"] = {}  # clean: otp_sweeper is in cleanup_ctx
    app.cleanup_ctx.append(otp_sweeper)
    app.add_routes([web.post("/send", send), web.post("/verify", verify)])
    return app
