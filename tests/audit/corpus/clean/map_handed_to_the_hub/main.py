"""
The map is handed to the hub, which enters each user and takes it out in a finally.
"""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from .hub import Hub

connections: dict[str, WebSocket] = {}  # clean: Hub.attend deletes in finally
hub = Hub(connections)


async def socket(ws: WebSocket) -> None:
    await ws.accept()
    await hub.attend(ws.path_params["user_id"], ws)


async def who(_request) -> JSONResponse:
    return JSONResponse(sorted(connections))


app = Starlette(routes=[WebSocketRoute("/ws/{user_id}", socket), Route("/who", who)])
