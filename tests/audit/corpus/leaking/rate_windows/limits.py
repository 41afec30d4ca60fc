"""Each address that ever called keeps a window, because old calls leave the inner list and the address does not leave the map."""

import time

_calls: dict[str, list[float]] = {}  # leaks SS007: a rate window for each address, never dropped
_quotas = {"free": 10, "paid": 600}  # clean: constant


def hit(ip: str, plan: str, seconds: float = 60.0) -> bool:
    now = time.monotonic()
    recent = [t for t in _calls.get(ip, []) if now - t < seconds]
    allowed = len(recent) < _quotas[plan]
    if allowed:
        recent.append(now)
    _calls[ip] = recent
    return allowed
