"""Saves conversations, one writer at a time."""

import json
from pathlib import Path

from keyed_locks.locks import conversation_locks as guard

FOLDER = Path("conversations")


async def append(conversation_id, message):
    async with guard.locked(conversation_id):
        file = FOLDER / f"{conversation_id}.json"
        messages = json.loads(file.read_text()) if file.exists() else []
        messages.append(message)
        file.write_text(json.dumps(messages))
