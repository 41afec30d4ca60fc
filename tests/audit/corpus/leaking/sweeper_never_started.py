"""Old uploads are never swept, because the sweeper coroutine is defined and no task runs it."""

import asyncio
import time
import uuid

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


class UploadStore:
    def __init__(self, max_age=3600):
        self.max_age = max_age
        self.parts = {}  # leaks SS002d: the only removal is in sweep_forever(), which nothing starts
        self.stats = {"opened": 0, "swept": 0}  # clean: two counters

    def open(self):
        upload_id = uuid.uuid4().hex
        self.parts[upload_id] = (time.time(), bytearray())
        self.stats["opened"] += 1
        return upload_id

    async def sweep_forever(self):
        while True:
            await asyncio.sleep(60)
            oldest = time.time() - self.max_age
            for upload_id in list(self.parts):
                if self.parts[upload_id][0] < oldest:
                    del self.parts[upload_id]
                    self.stats["swept"] += 1


store = UploadStore()


async def begin(request):
    return JSONResponse({"id": store.open()})


async def part(request):
    store.parts[request.path_params["id"]][1].extend(await request.body())
    return JSONResponse(store.stats)


app = Starlette(
    routes=[Route("/up", begin, methods=["POST"]), Route("/up/{id}", part, methods=["PUT"])]
)
