"""
Many requests on one session: a Starlette application whose conversations outlive each request.

``attach`` opens the conversation with its first request, keeps it while a request is inside, and
leaves it to its idle timeout. DELETE ends it early, when the client remembers to send it.

    pip install sessionstate starlette uvicorn httpx
    python examples/many_requests.py
    uvicorn --app-dir examples --factory many_requests:build    # to serve it in earnest
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

import sessionstate
from sessionstate import SessionClosed, SessionMap, SessionNotFound, Supervisor, attach

transcripts = SessionMap[list[str]]("transcripts")  # was: transcripts: dict[str, list[str]] = {}


async def load_profile() -> str:
    return "Ada"  # in earnest: a query


async def say(request: Request) -> Response:
    async with attach(request.path_params["id"]) as s:
        text = (await request.body()).decode()  # should it never come: stall_timeout
        profile = await s.get_or_create("profile", load_profile)  # loaded once for all requests
        async with s.lock:  # one turn at a time; the lock goes with the conversation
            said = transcripts.setdefault(s.id, [])
            said.append(text)
            return JSONResponse({"name": profile, "turn": len(said), "life": s.incarnation})


async def read(request: Request) -> Response:
    async with attach(request.path_params["id"], create=False) as s:
        return JSONResponse(transcripts.get(s.id, []))


async def end(request: Request) -> Response:
    ended = await sessionstate.current_supervisor().close(request.path_params["id"])
    return Response(status_code=204 if ended else 404)


async def gone(_: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), status_code=404)  # not there, or ended meanwhile


routes = [
    Route("/chat/{id}", say, methods=["POST"]),
    Route("/chat/{id}", read, methods=["GET"]),
    Route("/chat/{id}", end, methods=["DELETE"]),
]


def build(*, idle_timeout: float = 1800.0, stall_timeout: float = 300.0) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with Supervisor(idle_timeout=idle_timeout, stall_timeout=stall_timeout):
            yield

    errors = {SessionNotFound: gone, SessionClosed: gone}
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=errors)


async def main(*, idle_timeout: float = 1800.0) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build(idle_timeout=idle_timeout), log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    url = "http://{}:{}".format(*listener.getsockname())
    async with httpx.AsyncClient(base_url=url) as client:
        for text in ("hello", "how are you?"):
            print((await client.post("/chat/ada", content=text)).json())
        print((await client.get("/chat/ada")).json())
        await sessionstate.current_supervisor()["ada"].wait_closed()  # nobody says goodbye
        print((await client.get("/chat/ada")).status_code, f"{len(transcripts)} transcripts left")
    server.should_exit = True
    await serving


if __name__ == "__main__":
    sessionstate.run(main(idle_timeout=1.0))
