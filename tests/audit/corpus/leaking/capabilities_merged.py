"""What each client can do is merged into one map and stays there, because the server's goodbye has no line for it."""

CAPABILITIES: dict[str, frozenset[str]] = {}  # leaks SS001: merged in at each handshake, never out
METHODS = {"initialize", "tools/list", "tools/call"}  # clean: constant


class Server:
    def __init__(self, transport):
        self.transport = transport

    async def initialize(self, client_id, params):
        CAPABILITIES.update({client_id: frozenset(params.get("capabilities", ()))})
        return {"serverInfo": {"name": "tiny"}, "capabilities": {"tools": {}}}

    async def dispatch(self, client_id, message):
        if message["method"] not in METHODS:
            return {"error": {"code": -32601}}
        if message["method"] == "initialize":
            return await self.initialize(client_id, message["params"])
        if "sampling" in CAPABILITIES.get(client_id, ()):
            return await self.transport.sample(client_id, message)
        return {"result": {}}
