"""
The application and its lifespan.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request

from .store import uploads
from .sweeper import sweep_stale


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        sweeping = group.create_task(sweep_stale(uploads))
        yield
        sweeping.cancel()


app = FastAPI(lifespan=lifespan)


@app.put("/uploads/{upload_id}")
async def part(upload_id: str, request: Request) -> int:
    return uploads.add(upload_id, await request.body())


@app.post("/uploads/{upload_id}/finish")
async def finish(upload_id: str) -> int:
    return len(uploads.finish(upload_id))
