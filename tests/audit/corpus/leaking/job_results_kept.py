"""The result of each job stays after it was fetched, because the queue hands out results without taking them."""

import asyncio
import traceback
import uuid


class JobRunner:
    def __init__(self, workers=4):
        self.queue = asyncio.Queue(maxsize=1000)
        self.workers = workers
        self.results = {}  # leaks SS001: read by poll(), removed by nobody
        self.in_progress = {}  # clean: popped in a finally

    async def submit(self, fn, *args):
        job_id = str(uuid.uuid4())
        await self.queue.put((job_id, fn, args))
        return job_id

    async def worker(self):
        while True:
            job_id, fn, args = await self.queue.get()
            self.in_progress[job_id] = fn.__name__
            try:
                self.results[job_id] = ("ok", await fn(*args))
            except Exception:
                self.results[job_id] = ("error", traceback.format_exc())
            finally:
                self.in_progress.pop(job_id, None)
                self.queue.task_done()

    def poll(self, job_id):
        if job_id in self.in_progress:
            return "running", None
        return self.results.get(job_id, ("unknown", None))

    async def run(self):
        async with asyncio.TaskGroup() as tg:
            for _ in range(self.workers):
                tg.create_task(self.worker())
