"""
The set is a queue without doubles, which a worker empties with pop().
"""

import asyncio

from fastapi import FastAPI

dirty = set()  # clean: the worker pops each id
wake = asyncio.Event()


async def reindex(document_id):
    await asyncio.sleep(0.05)


async def indexer():
    while True:
        await wake.wait()
        wake.clear()
        while dirty:
            document_id = dirty.pop()
            try:
                await reindex(document_id)
            except Exception as error:
                print("not indexed:", document_id, error)


async def lifespan(app):
    worker = asyncio.create_task(indexer())
    try:
        yield
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


app = FastAPI(lifespan=lifespan)


@app.put("/documents/{document_id}")
async def put(document_id: str):
    dirty.add(document_id)
    wake.set()
    return {"queued": len(dirty)}
