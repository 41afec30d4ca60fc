"""
Full buckets are dropped by prune(), which a task of the application calls for ever.
"""

import time


class TokenBuckets:
    def __init__(self, rate, burst):
        self.rate = rate
        self.burst = burst
        self.rows = {}  # clean: prune() is called by the task of limiter_app.py

    def take(self, api_key):
        now = time.monotonic()
        level, at = self.rows.get(api_key, (self.burst, now))
        level = min(self.burst, level + (now - at) * self.rate)
        allowed = level >= 1
        self.rows[api_key] = (level - allowed, now)
        return allowed

    def prune(self):
        now = time.monotonic()
        full = [k for k, (level, at) in self.rows.items() if level + (now - at) * self.rate >= self.burst]
        for key in full:
            del self.rows[key]
