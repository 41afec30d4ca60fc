"""
acquire() is the last statement before a try whose finally releases, and nothing between can fail.
"""
import threading


class Slots:
    def __init__(self, size):
        self.size = size
        self.cond = threading.Condition()
        self.holder = {}  # clean: release() in finally, right after acquire()

    def acquire(self, job_id):
        with self.cond:
            self.cond.wait_for(lambda: len(self.holder) < self.size)
            self.holder[job_id] = threading.current_thread().name

    def release(self, job_id):
        with self.cond:
            self.holder.pop(job_id, None)
            self.cond.notify()


slots = Slots(4)


def perform(job):
    slots.acquire(job.job_id)
    try:
        job.prepare()
        job.execute()
    finally:
        slots.release(job.job_id)


def main(source):
    threads = [threading.Thread(target=perform, args=(job,)) for job in source]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
