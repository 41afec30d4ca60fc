"""Each price stream leaves a listener on the feed, because a lambda over the socket is registered and never removed."""

from fastapi import FastAPI, WebSocket

from feeds import feed

app = FastAPI()
watched: dict[WebSocket, str] = {}  # clean: popped in the finally


@app.websocket("/prices/{symbol}")
async def prices(ws: WebSocket, symbol: str):
    await ws.accept()
    watched[ws] = symbol
    try:
        feed.on("price", lambda tick: ws.send_json(tick) if tick["symbol"] == watched.get(ws) else None)  # leaks SS004: no off()
        while True:
            watched[ws] = await ws.receive_text()
    finally:
        watched.pop(ws, None)
