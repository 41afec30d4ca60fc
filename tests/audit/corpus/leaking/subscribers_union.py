"""Closed sockets stay among the subscribers, because they are joined with |= and the broadcast merely skips the dead ones."""

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketState

router = APIRouter()


class Ticker:
    subscribers: set[WebSocket] = set()  # leaks SS001: dead sockets are skipped and not removed

    @classmethod
    async def publish(cls, quote: dict) -> None:
        for ws in cls.subscribers:
            if ws.client_state is WebSocketState.CONNECTED:
                await ws.send_json(quote)


@router.websocket("/quotes")
async def quotes(ws: WebSocket) -> None:
    await ws.accept()
    Ticker.subscribers |= {ws}
    while True:
        await ws.receive_text()
