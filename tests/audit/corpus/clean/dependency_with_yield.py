"""
FastAPI runs the finally of a dependency with yield after every request, failed or not.
"""
import time
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, FastAPI

app = FastAPI()
in_progress: dict[str, float] = {}  # clean: removed in the finally of the dependency


async def tracked():
    request_id = str(uuid4())
    in_progress[request_id] = time.perf_counter()
    try:
        yield request_id
    finally:
        in_progress.pop(request_id, None)


Tracked = Annotated[str, Depends(tracked)]


@app.get("/slow")
def slow(request_id: Tracked, seconds: float = 1.0) -> dict[str, str]:
    time.sleep(seconds)
    return {"request_id": request_id}


@app.get("/in-progress")
def list_progress() -> dict[str, float]:
    now = time.perf_counter()
    return {rid: now - started for rid, started in in_progress.items()}
