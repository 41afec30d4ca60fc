"""
The route enters an asynccontextmanager that deletes the upload when the block is left.
"""
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from fastapi import FastAPI, Request

app = FastAPI()
app.state.uploads = {}  # clean: track() deletes in its finally


@asynccontextmanager
async def track(app: FastAPI, upload_id: str):
    progress = {"bytes": 0}
    app.state.uploads[upload_id] = progress
    try:
        yield progress
    finally:
        del app.state.uploads[upload_id]


@app.put("/uploads/{upload_id}")
async def upload(upload_id: str, request: Request):
    async with track(request.app, upload_id) as progress:
        async with await anyio.open_file(Path("/srv/uploads") / upload_id, "wb") as out:
            async for chunk in request.stream():
                await out.write(chunk)
                progress["bytes"] += len(chunk)
    return {"size": progress["bytes"]}


@app.get("/uploads/{upload_id}")
async def how_far(upload_id: str):
    return app.state.uploads.get(upload_id, {"bytes": None})
