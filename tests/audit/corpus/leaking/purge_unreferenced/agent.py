"""One turn of the agent."""

from purge_unreferenced.maintenance import largest, purge
from purge_unreferenced.memory import MEMORY

__all__ = ["largest", "purge", "turn"]


async def turn(user_id, text, llm):
    MEMORY.scratch[user_id] = text
    try:
        reply = await llm(text, MEMORY.facts[user_id])
        MEMORY.facts[user_id].extend(reply.new_facts)
        return reply.text
    finally:
        MEMORY.scratch.pop(user_id, None)
