"""House-keeping of the memory."""

from purge_unreferenced.memory import MEMORY

KEEP = 50


def purge(inactive_users):
    for user_id in inactive_users:
        MEMORY.facts.pop(user_id, None)


def largest():
    return sorted(MEMORY.facts, key=lambda u: len(MEMORY.facts[u]), reverse=True)[:KEEP]
