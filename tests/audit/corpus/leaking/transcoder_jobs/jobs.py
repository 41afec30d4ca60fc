"""The jobs, which their owners may cancel."""

import asyncio

from .spawn import Transcoder

transcoder = Transcoder(600)
_jobs: dict[str, asyncio.Task[int]] = {}  # clean: a done-callback takes each out


def submit(job_id: str, source: str, target: str) -> None:
    task = asyncio.create_task(transcoder.run("-i", source, target))
    _jobs[job_id] = task
    task.add_done_callback(lambda _: _jobs.pop(job_id, None))


def cancel(job_id: str) -> bool:
    task = _jobs.get(job_id)
    return task is not None and task.cancel()
