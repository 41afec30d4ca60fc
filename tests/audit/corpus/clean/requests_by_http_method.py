"""
The counter has a row for each HTTP method, because anything else is counted as OTHER.
"""
from collections import Counter

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
hits = Counter()  # clean: seven methods and OTHER


class CountMethods:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            method = scope["method"]
            hits[method if method in METHODS else "OTHER"] += 1
        await self.app(scope, receive, send)


def metrics():
    return "\n".join(f'http_requests_total{{method="{m}"}} {n}' for m, n in sorted(hits.items()))
