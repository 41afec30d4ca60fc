"""
A seat is a context manager, and its exit takes the guest out of the plan.
"""
from __future__ import annotations

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


class SeatPlan:
    def __init__(self) -> None:
        self.taken: dict[str, Seat] = {}  # clean: Seat.__aexit__ removes


class Seat:
    def __init__(self, plan: SeatPlan, guest_id: str, socket: WebSocket) -> None:
        self.plan = plan
        self.guest_id = guest_id
        self.socket = socket

    async def __aenter__(self) -> Seat:
        await self.socket.accept()
        self.plan.taken[self.guest_id] = self
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self.plan.taken.get(self.guest_id) is self:
            del self.plan.taken[self.guest_id]


plan = SeatPlan()


@app.websocket("/seats/{guest_id}")
async def sit(socket: WebSocket, guest_id: str) -> None:
    async with Seat(plan, guest_id, socket):
        try:
            while True:
                await socket.receive_text()
                await socket.send_json({"guests": sorted(plan.taken)})
        except WebSocketDisconnect:
            return
