"""
A signature is forgotten once it is older than what the check of the time stamp accepts.
"""
from __future__ import annotations

import hashlib
import hmac
import time
from collections import deque

MAX_AGE = 300
MAX_SKEW = 60


class ReplayGuard:
    def __init__(self) -> None:
        self._known: set[str] = set()  # clean: discarded by time at each check
        self._order: deque[tuple[float, str]] = deque()  # clean: popleft together with the set

    def first_time(self, signature: str, now: float) -> bool:
        while self._order and self._order[0][0] < now:
            _, old = self._order.popleft()
            self._known.discard(old)
        if signature in self._known:
            return False
        self._known.add(signature)
        self._order.append((now + MAX_AGE + MAX_SKEW, signature))
        return True


guard = ReplayGuard()


def verify(headers: dict[str, str], body: bytes, secret: bytes) -> bool:
    now = time.time()
    signed_at = int(headers["x-timestamp"])
    if not -MAX_SKEW <= now - signed_at <= MAX_AGE:
        return False
    wanted = hmac.new(secret, b"%d." % signed_at + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, headers["x-signature"]) and guard.first_time(wanted, now)
