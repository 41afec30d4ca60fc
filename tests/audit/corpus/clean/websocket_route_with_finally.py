"""
The socket is entered right before the try, and each way out goes through its finally.
"""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
sockets: dict[str, WebSocket] = {}  # clean: popped in the finally of the route


@app.websocket("/ws/{client_id}")
async def ws(websocket: WebSocket, client_id: str):
    await websocket.accept()
    sockets[client_id] = websocket
    try:
        while True:
            message = await websocket.receive_json()
            target = sockets.get(message["to"])
            if target is not None:
                await target.send_json({"from": client_id, "text": message["text"]})
    except WebSocketDisconnect:
        pass
    finally:
        sockets.pop(client_id, None)
