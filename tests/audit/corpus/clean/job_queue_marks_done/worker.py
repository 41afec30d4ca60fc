"""Threads that perform jobs."""
import logging
import threading

logger = logging.getLogger(__name__)


class Worker(threading.Thread):
    def __init__(self, jobs):
        super().__init__(daemon=True)
        self.jobs = jobs

    def run(self):
        while True:
            job_id, fn = self.jobs.take()
            try:
                fn()
            except Exception:
                logger.exception("job %s failed", job_id)
            finally:
                self.jobs.done(job_id)
