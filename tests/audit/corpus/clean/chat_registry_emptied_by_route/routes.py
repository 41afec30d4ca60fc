"""
The routes of the chat.
"""

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from .registry import clients, is_online, send_to

router = APIRouter()


@router.websocket("/chat/{client_id}")
async def chat(socket: WebSocket, client_id: str) -> None:
    await socket.accept()
    clients[client_id] = socket
    try:
        while True:
            to, _, text = (await socket.receive_text()).partition(":")
            if not await send_to(to, text):
                await socket.send_text(f"{to} is away")
    except WebSocketDisconnect:
        pass
    finally:
        clients.pop(client_id, None)


@router.get("/online/{client_id}")
async def online(client_id: str) -> bool:
    return is_online(client_id)
