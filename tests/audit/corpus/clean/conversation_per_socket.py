"""
The conversation is a local variable of the handler and ends when the socket does.
"""
import uuid

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


class Conversation:
    def __init__(self):
        self.conversation_id = str(uuid.uuid4())
        self.turns = []
        self.tool_results = {}  # clean: the conversation lives in a local variable of chat()

    def add_result(self, tool_call_id, result):
        self.tool_results[tool_call_id] = result

    def prompt(self):
        return [*self.turns, *({"tool": k, "content": v} for k, v in self.tool_results.items())]


@app.websocket("/chat")
async def chat(ws: WebSocket):
    await ws.accept()
    conversation = Conversation()
    try:
        async for frame in ws.iter_json():
            if frame["type"] == "tool":
                conversation.add_result(frame["tool_call_id"], frame["result"])
            else:
                conversation.turns.append({"role": "user", "content": frame["text"]})
            await ws.send_json({"prompt_length": len(conversation.prompt())})
    except WebSocketDisconnect:
        pass
