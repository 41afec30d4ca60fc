"""Each client address leaves a zero behind, because the number of its open requests is counted down and the key is kept."""

from collections import defaultdict

from starlette.responses import PlainTextResponse


class ConcurrencyLimit:
    def __init__(self, app, per_client: int = 8):
        self.app = app
        self.per_client = per_client
        self.open = defaultdict(int)  # leaks SS001: down to nought, never out

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        client_ip = scope["client"][0]
        if self.open[client_ip] >= self.per_client:
            await PlainTextResponse("slow down", 429)(scope, receive, send)
            return
        self.open[client_ip] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.open[client_ip] -= 1
