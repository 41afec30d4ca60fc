"""A failing on_chat_end hook keeps the session's thread, because the hook is awaited in the finally before the row is deleted."""

import inspect


class ChatServer:
    def __init__(self, hooks):
        self.hooks = hooks
        self.threads = {}  # leaks SS002b: a hook that raises, or hangs, comes before the del
        self.sockets = {}  # clean: popped first, before anything may fail

    async def _call(self, name, *args):
        hook = self.hooks.get(name)
        if hook is None:
            return
        result = hook(*args)
        if inspect.isawaitable(result):
            await result

    async def connection(self, socket, session_id):
        try:
            self.sockets[session_id] = socket
            self.threads[session_id] = []
            await self._call("on_chat_start", session_id)
            async for message in socket:
                self.threads[session_id].append(message)
                await self._call("on_message", session_id, message)
        finally:
            self.sockets.pop(session_id, None)
            await self._call("on_chat_end", session_id, self.threads[session_id])
            del self.threads[session_id]
