"""
A worker that takes sessions from a queue, one after the other.
"""

import time

import shared as sh


def work(queue, perform):
    while True:
        session_id, payload = queue.get()
        sh.SESSIONS[session_id] = time.time()
        sh.STARTED += 1
        try:
            perform(payload)
        except Exception as error:
            print("session", session_id, "failed:", error)
        finally:
            sh.SESSIONS.pop(session_id, None)
            queue.task_done()
