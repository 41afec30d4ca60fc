"""
The variable gets back its former value by its token, and the map in it is made for one job.
"""

import contextvars
import logging

current_job = contextvars.ContextVar("current_job", default=None)


class JobFilter(logging.Filter):
    def filter(self, record):
        job = current_job.get()
        record.job_id = job["job_id"] if job else "-"
        return True


async def run_job(job_id, steps):
    scratch = {"job_id": job_id}  # clean: set and reset for one job
    token = current_job.set(scratch)
    try:
        for name, step in steps:
            scratch[name] = await step(scratch)
        return scratch
    finally:
        current_job.reset(token)


async def consume(queue):
    while True:
        job = await queue.get()
        await run_job(job.job_id, job.steps)
        queue.task_done()
