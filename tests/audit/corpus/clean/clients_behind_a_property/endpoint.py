"""
The endpoint of the dashboard.
"""

from __future__ import annotations

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from .hub import dashboard

router = APIRouter()


@router.websocket("/dashboard")
async def show(websocket: WebSocket) -> None:
    await websocket.accept()
    dashboard.clients.add(websocket)
    try:
        while True:
            await websocket.receive_text()
            await dashboard.broadcast({"watching": len(dashboard.clients)})
    except WebSocketDisconnect:
        return
    finally:
        dashboard.clients.discard(websocket)
