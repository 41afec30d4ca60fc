"""
A leak on purpose: a webhook's signature is remembered, so that it is not accepted twice, for ever.

A set only grows. The mended twin is a `ReplayGuard`: it remembers each signature for exactly as
long as its request would be fresh, and refuses when it is full.

    python examples/leaking_signatures.py
    sessionstate leakcheck examples.leaking_signatures:leaky
"""

import hashlib

from sessionstate import ReplayGuard
from sessionstate.testing import LeakReport, VirtualClock, leakcheck

seen: set[str] = set()
guard = ReplayGuard(window=300, maxsize=100_000)


def signature(number: int) -> str:
    return hashlib.sha256(f"webhook {number}".encode()).hexdigest()


async def leaky(number: int) -> None:
    signed = signature(number)
    if signed in seen:
        raise PermissionError("a replay")
    seen.add(signed)


async def mended(number: int) -> None:
    if not guard.first_seen(signature(number)):
        raise PermissionError("a replay")


async def main() -> list[LeakReport]:
    return [await leakcheck(request, requests=100) for request in (leaky, mended)]


if __name__ == "__main__":
    for report in VirtualClock().run(main()):
        print(f"{report.subject}: {report.verdict}")
