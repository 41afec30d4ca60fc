"""
The waiter of an elicitation is deleted by the very function that made it, in a finally.
"""
import asyncio
import json
import sys
import uuid

WAITERS: dict[str, asyncio.Event] = {}  # clean: both are deleted by ask() in finally
ANSWERS: dict[str, dict] = {}  # clean: both are deleted by ask() in finally


def emit(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def ask(question):
    rid = f"elicit-{uuid.uuid4()}"
    WAITERS[rid] = asyncio.Event()
    try:
        emit({"id": rid, "method": "elicitation/create", "params": {"message": question}})
        await asyncio.wait_for(WAITERS[rid].wait(), timeout=120)
        return ANSWERS[rid]
    except TimeoutError:
        return {"action": "cancel"}
    finally:
        WAITERS.pop(rid, None)
        ANSWERS.pop(rid, None)


def on_message(message):
    rid = message.get("id")
    waiter = WAITERS.get(rid)
    if waiter is not None:
        ANSWERS[rid] = message["result"]
        waiter.set()


async def tool_delete_file(path):
    answer = await ask(f"Really delete {path}?")
    return "deleted" if answer["action"] == "accept" else "kept"
