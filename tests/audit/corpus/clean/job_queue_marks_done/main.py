"""Puts the parts together."""
from jobs import JobQueue
from worker import Worker

jobs = JobQueue()
workers = [Worker(jobs) for _ in range(4)]

if __name__ == "__main__":
    for worker in workers:
        worker.start()
    for n in range(100):
        jobs.put(lambda n=n: print(n * n))
    jobs._waiting.join()
