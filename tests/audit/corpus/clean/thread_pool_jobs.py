"""
The future of the pool removes its own id when it is done, in whatever way.
"""
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor

pool = ThreadPoolExecutor(max_workers=4)
guard = threading.Lock()
in_work: dict[str, Future] = {}  # clean: the future's done-callback deletes the id


def submit(fn, *args) -> str:
    job_id = str(uuid.uuid4())

    def finished(_future: Future) -> None:
        with guard:
            in_work.pop(job_id, None)

    with guard:
        future = pool.submit(fn, *args)
        in_work[job_id] = future
    future.add_done_callback(finished)
    return job_id


def busy() -> list[str]:
    with guard:
        return list(in_work)


class JobHandler:
    def do_POST(self, path, body):
        return submit(len, body)

    def do_GET(self, path):
        return busy()
