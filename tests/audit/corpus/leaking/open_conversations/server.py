"""Serves conversations over a websocket."""

from .state import live as open_conversations
from .state import summaries as notes


async def converse(ws, llm):
    cid = ws.query_params["c"]
    open_conversations[cid] = ws
    try:
        async for text in ws.iter_text():
            reply = await llm.reply(text)
            notes[cid] = await llm.summarise(notes.get(cid, ""), reply)
            await ws.send_text(reply)
    finally:
        open_conversations.pop(cid, None)
