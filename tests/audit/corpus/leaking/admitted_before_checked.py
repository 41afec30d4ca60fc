"""Each refused request leaves a stream, because it is put into the table before its headers are looked at."""

from uuid import uuid4

from starlette.exceptions import HTTPException


class StreamableSessions:
    def __init__(self, make_transport):
        self._make_transport = make_transport
        self._transports = {}  # leaks SS002b: the 406 and the 415 are raised between the row and the try
        self._accepts = {"application/json", "text/event-stream"}  # clean: constant

    async def handle(self, request):
        sid = uuid4().hex
        self._transports[sid] = self._make_transport(sid)
        self._check(request)
        try:
            return await self._transports[sid].handle(request)
        finally:
            self._transports.pop(sid, None)

    async def notify_all(self, method):
        for transport in list(self._transports.values()):
            await transport.send({"jsonrpc": "2.0", "method": method})

    def _check(self, request):
        offered = {part.strip() for part in request.headers.get("accept", "").split(",")}
        if not self._accepts <= offered:
            raise HTTPException(406)
        if request.headers.get("content-type") != "application/json":
            raise HTTPException(415)
