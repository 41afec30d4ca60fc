"""
The map comes from new_history() and drops its oldest chat above a thousand.
"""

from __future__ import annotations

from .history import line_buffer, new_history

history = new_history()  # clean: BoundedDict.__setitem__ evicts


async def on_text(chat_id: int, text: str, llm) -> str:
    lines = history.get(chat_id)
    if lines is None:
        lines = history[chat_id] = line_buffer()
    lines.append(f"user: {text}")
    reply = await llm("\n".join(lines))
    lines.append(f"bot: {reply}")
    return reply
