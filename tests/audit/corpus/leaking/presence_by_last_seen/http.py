"""Notes each request, and tells how many are here."""

from starlette.requests import Request
from starlette.responses import JSONResponse

from .table import online, pages, saw


async def middleware(request: Request, call_next):
    if request.url.path in pages:
        saw(request.cookies.get("visitor", request.client.host))
    return await call_next(request)


async def here(request: Request) -> JSONResponse:
    return JSONResponse({"online": len(online())})
