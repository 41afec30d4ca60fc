"""
The socket for notifications.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, WebSocket, WebSocketDisconnect

from .manager import ConnectionManager, get_manager

router = APIRouter()
Manager = Annotated[ConnectionManager, Depends(get_manager)]


@router.websocket("/notifications/{user_id}")
async def notifications(websocket: WebSocket, user_id: int, manager: Manager) -> None:
    await websocket.accept()
    manager.remember(user_id, websocket)
    try:
        while True:
            await websocket.receive_bytes()
    except WebSocketDisconnect:
        pass
    finally:
        manager.forget(user_id, websocket)


@router.post("/notify/{user_id}")
async def notify(user_id: int, text: str, manager: Manager) -> int:
    sockets = manager.of(user_id)
    for socket in sockets:
        await socket.send_text(text)
    return len(sockets)
