"""
Storing a result also arms a timer of the loop that pops it again after ten minutes.
"""
import asyncio
import uuid

RESULT_TTL = 600


class Results:
    def __init__(self, loop: asyncio.AbstractEventLoop):
        self.loop = loop
        self.by_job = {}  # clean: loop.call_later pops each key

    def keep(self, job_id, value):
        self.by_job[job_id] = value
        self.loop.call_later(RESULT_TTL, self.by_job.pop, job_id, None)

    def find(self, job_id):
        return self.by_job.get(job_id)


async def worker(jobs: asyncio.Queue, results: Results):
    while True:
        job_id, fn = await jobs.get()
        try:
            results.keep(job_id, await fn())
        except Exception as error:
            results.keep(job_id, repr(error))
        finally:
            jobs.task_done()


def enqueue(jobs: asyncio.Queue, fn):
    job_id = uuid.uuid4().hex
    jobs.put_nowait((job_id, fn))
    return job_id
