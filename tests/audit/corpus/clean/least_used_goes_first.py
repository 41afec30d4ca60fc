"""
When the table is full the row with the oldest use makes way for the new one.
"""
import time

from fastapi import FastAPI

MAX_DRAFTS = 1000
drafts = {}  # clean: min() by time of use is popped when full
used_at = {}  # clean: popped together with drafts

app = FastAPI()


def store(draft_id, text):
    if draft_id not in drafts and len(drafts) >= MAX_DRAFTS:
        victim = min(used_at, key=used_at.get)
        drafts.pop(victim, None)
        used_at.pop(victim, None)
    drafts[draft_id] = text
    used_at[draft_id] = time.monotonic()


@app.put("/drafts/{draft_id}")
async def save(draft_id: str, text: str):
    store(draft_id, text)
    return {"kept": len(drafts)}


@app.get("/drafts/{draft_id}")
async def load(draft_id: str):
    if draft_id in drafts:
        used_at[draft_id] = time.monotonic()
    return {"text": drafts.get(draft_id)}
