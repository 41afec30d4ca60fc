"""
The worker takes each job out with done(), which it calls in a finally.
"""
import queue
import threading
import uuid


class JobQueue:
    def __init__(self):
        self._waiting = queue.Queue()
        self._running = {}  # clean: worker.py calls done() in finally
        self._lock = threading.Lock()

    def put(self, fn):
        job_id = uuid.uuid4().hex
        self._waiting.put((job_id, fn))
        return job_id

    def take(self):
        job_id, fn = self._waiting.get()
        with self._lock:
            self._running[job_id] = threading.current_thread().name
        return job_id, fn

    def done(self, job_id):
        with self._lock:
            self._running.pop(job_id, None)
        self._waiting.task_done()

    def running(self):
        with self._lock:
            return dict(self._running)
