"""The transcript of each conversation stays for ever, because only the socket table is emptied when a client leaves."""

from uuid import uuid4

from fastapi import FastAPI, WebSocket

from .llm import complete

app = FastAPI()

transcripts: dict[str, list[dict[str, str]]] = {}  # leaks SS001: nobody ever takes a conversation out
sockets: dict[str, WebSocket] = {}  # clean: popped in the finally of the endpoint


@app.websocket("/chat")
async def chat(ws: WebSocket):
    await ws.accept()
    conversation_id = ws.query_params.get("conversation") or uuid4().hex
    sockets[conversation_id] = ws
    try:
        while True:
            text = await ws.receive_text()
            log = transcripts.setdefault(conversation_id, [])
            log.append({"role": "user", "content": text})
            answer = await complete(log)
            log.append({"role": "assistant", "content": answer})
            await ws.send_text(answer)
    finally:
        sockets.pop(conversation_id, None)
