"""
Leases are taken in a with statement, whose exit gives them back.
"""

import threading
import time

_leases = {}  # clean: Lease.__exit__ pops
_mutex = threading.Lock()


class Lease:
    """Only one worker thread may work on a tenant."""

    def __init__(self, tenant_id):
        self.tenant_id = tenant_id

    def __enter__(self):
        with _mutex:
            if self.tenant_id in _leases:
                raise RuntimeError(f"tenant {self.tenant_id} is busy")
            _leases[self.tenant_id] = time.monotonic()
        return self

    def __exit__(self, exc_type, exc, tb):
        with _mutex:
            _leases.pop(self.tenant_id, None)
        return False


def nightly_report(queue):
    while True:
        tenant_id = queue.get()
        if tenant_id is None:
            break
        with Lease(tenant_id):
            print("report for", tenant_id)
