"""The answer to each idempotency key is kept for ever, because the middleware has no idea of how long a client may repeat itself."""

from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import Response


class Idempotency(BaseHTTPMiddleware):
    def __init__(self, app, methods=("POST", "PATCH")):
        super().__init__(app)
        self.methods = methods
        self.replayed = {}  # leaks SS007: no time limit, no size limit
        self.working = set()  # clean: discarded in a finally

    async def dispatch(self, request, call_next):
        key = request.headers.get("idempotency-key")
        if key is None or request.method not in self.methods:
            return await call_next(request)
        if key in self.replayed:
            status, body = self.replayed[key]
            return Response(body, status)
        if key in self.working:
            return Response("still working", 409)
        self.working.add(key)
        try:
            response = await call_next(request)
            body = b"".join([chunk async for chunk in response.body_iterator])
            self.replayed[key] = (response.status_code, body)
            return Response(body, response.status_code, dict(response.headers))
        finally:
            self.working.discard(key)
