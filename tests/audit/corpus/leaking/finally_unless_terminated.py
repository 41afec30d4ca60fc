"""A session that its client ended properly stays in the table, because the guard in the finally was written for crashes."""

import logging

log = logging.getLogger("rpc")


class SessionTable:
    def __init__(self):
        self._instances = {}  # leaks SS002c: not deleted when is_terminated is true
        self._methods = frozenset({"GET", "POST", "DELETE"})  # clean: constant

    async def serve(self, session, streams):
        self._instances[session.session_id] = session
        try:
            await session.run(*streams)
        except Exception:
            log.exception("session %s crashed", session.session_id)
        finally:
            if session.session_id in self._instances and not session.is_terminated:
                log.info("removing crashed session %s", session.session_id)
                del self._instances[session.session_id]

    async def handle(self, request):
        if request.method not in self._methods:
            return 405
        session = self._instances.get(request.headers.get("x-session"))
        if session is None:
            return 404
        if request.method == "DELETE":
            await session.terminate()
            return 204
        return await session.feed(request)
