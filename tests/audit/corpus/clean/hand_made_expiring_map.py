"""
Every write pops the rows whose deadline has passed from a queue that is in order of time.
"""

import time
from collections import OrderedDict


class ExpiringMap:
    def __init__(self, lifetime: float) -> None:
        self.lifetime = lifetime
        self._rows: OrderedDict[str, tuple[float, object]] = OrderedDict()  # clean: expired at each write

    def put(self, key: str, value: object) -> None:
        self._expire()
        self._rows.pop(key, None)
        self._rows[key] = (time.monotonic() + self.lifetime, value)

    def get(self, key: str) -> object | None:
        row = self._rows.get(key)
        if row is None or row[0] < time.monotonic():
            return None
        return row[1]

    def _expire(self) -> None:
        now = time.monotonic()
        while self._rows:
            key, (deadline, _) = next(iter(self._rows.items()))
            if deadline > now:
                break
            del self._rows[key]


one_time_codes = ExpiringMap(lifetime=600)


def send_code(user_id: str, code: str) -> None:
    one_time_codes.put(user_id, code)


def check_code(user_id: str, code: str) -> bool:
    return one_time_codes.get(user_id) == code
