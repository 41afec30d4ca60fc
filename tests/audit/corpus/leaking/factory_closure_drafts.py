"""Drafts of visitors who never send them stay in a closure, because the factory's inner functions only ever write them."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute


def create_app(debug: bool = False) -> Starlette:
    drafts = {}  # leaks SS001: written by the autosave of each visitor
    watching = set()  # clean: removed in the finally of watch()

    async def autosave(request):
        visitor = request.cookies["visitor"]
        drafts[visitor] = await request.json()
        return JSONResponse({"saved": True})

    async def resume(request):
        return JSONResponse(drafts.get(request.cookies.get("visitor"), {}))

    async def watch(ws):
        await ws.accept()
        watching.add(ws)
        try:
            async for message in ws.iter_json():
                for other in list(watching):
                    await other.send_json(message)
        finally:
            watching.discard(ws)

    return Starlette(
        debug=debug,
        routes=[
            Route("/draft", autosave, methods=["PUT"]),
            Route("/draft", resume),
            WebSocketRoute("/watch", watch),
        ],
    )
