"""
The count of a user goes down in the finally and its row is deleted at zero.
"""
from collections import defaultdict

from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse


class ConcurrencyMiddleware(BaseHTTPMiddleware):
    def __init__(self, app, limit=3):
        super().__init__(app)
        self.limit = limit
        self.running = defaultdict(int)  # clean: row deleted when the count is back at 0

    async def dispatch(self, request, call_next):
        user_id = request.headers.get("x-user-id", "anonymous")
        if user_id in self.running and self.running[user_id] >= self.limit:
            return JSONResponse({"error": "too many requests at once"}, 429)
        self.running[user_id] += 1
        try:
            return await call_next(request)
        finally:
            self.running[user_id] -= 1
            if self.running[user_id] <= 0:
                del self.running[user_id]
