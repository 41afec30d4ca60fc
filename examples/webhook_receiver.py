"""
A webhook receiver: each signed request is acted upon once, however often it arrives.

A signature is remembered for exactly as long as its request is fresh: what the guard has forgotten
is too old to be accepted. A bounded set forgets sooner, and takes a replay for a new request. While
a request is being acted upon its signature is claimed; should that fail, the claim is given up, so
that the sender's retry is not refused.

    pip install sessionstate starlette uvicorn httpx
    python examples/webhook_receiver.py
    uvicorn --app-dir examples --factory webhook_receiver:build    # to serve it in earnest
"""

import asyncio
import hmac
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import sessionstate
from sessionstate import GuardFull, ReplayGuard, StaleRequest, Supervisor

SECRET = b"known to the sender and to us"  # in earnest: not in the code


class Busy(Exception):
    """What acts upon the webhooks cannot just now."""


class Shop:
    """What acts upon the webhooks."""

    def __init__(self) -> None:
        self.busy = False
        self.shipped: list[str] = []

    async def ship(self, order: str) -> None:
        """Ship an order; in earnest, this takes its time."""
        await asyncio.sleep(0)
        if self.busy:
            raise Busy("come back later")
        self.shipped.append(order)


def sign(signed_at: str, body: bytes) -> str:
    return hmac.new(SECRET, f"{signed_at}.".encode() + body, "sha256").hexdigest()


async def take(request: Request) -> Response:
    body = await request.body()
    signed_at, signature = (request.headers.get(name, "") for name in ("signed-at", "signature"))
    # Before anything else: a stranger must not fill the guard, or claim what others have signed.
    if not hmac.compare_digest(sign(signed_at, body).encode(), signature.encode()):
        return PlainTextResponse("not signed by the sender", status_code=401)
    guard: ReplayGuard = request.app.state.guard
    async with guard.claim(signature, signed_at=float(signed_at)) as first:
        if not first:
            return PlainTextResponse("taken before, or being taken", status_code=409)
        await request.app.state.shop.ship(body.decode())
    return PlainTextResponse("taken")


async def stale(_: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), status_code=400)


async def unavailable(_: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), status_code=503)


def build(*, window: float = 300.0, maxsize: int = 1_000_000) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with Supervisor() as supervisor:
            # On its behalf, signatures are forgotten promptly, not only when a request comes.
            app.state.guard = ReplayGuard(window=window, maxsize=maxsize, supervisor=supervisor)
            app.state.shop = Shop()
            yield

    errors = {StaleRequest: stale, GuardFull: unavailable, Busy: unavailable}
    routes = [Route("/webhook", take, methods=["POST"])]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=errors)


def signed(order: str, *, age: float = 0.0) -> tuple[bytes, dict[str, str]]:
    body, at = order.encode(), repr(time.time() - age)
    return body, {"signed-at": at, "signature": sign(at, body)}


async def main() -> None:
    app = build()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    url = "http://{}:{}/webhook".format(*listener.getsockname())
    async with httpx.AsyncClient() as client:

        async def send(what: str, body: bytes, headers: dict[str, str]) -> None:
            response = await client.post(url, content=body, headers=headers)
            print(f"{what}: {response.status_code}, {len(app.state.shop.shipped)} shipped")

        body, headers = signed("a chair")
        await send("a chair", body, headers)
        await send("the same again", body, headers)
        await send("with another body", b"a palace", headers)
        await send("an hour old", *signed("a table", age=3600))
        app.state.shop.busy = True
        body, headers = signed("a lamp")
        await send("a lamp, while busy", body, headers)
        app.state.shop.busy = False
        await send("the retry", body, headers)
        await send("the retry again", body, headers)
        print(f"remembered: {len(app.state.guard)} signatures")
    server.should_exit = True
    await serving


if __name__ == "__main__":
    sessionstate.run(main())
