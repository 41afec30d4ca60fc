"""A tool server keeps the state of clients that crash, because only the client's own farewell message removes it."""

import json
import sys


class StdioBridge:
    def __init__(self, tools):
        self.tools = tools
        self.clients: dict[str, dict] = {}  # leaks SS002a: 'notifications/closed' comes from polite clients only
        self.routes = {  # clean: a fixed table of methods
            "initialize": self.initialize,
            "tools/call": self.call,
            "notifications/closed": self.on_closed,
        }

    def initialize(self, client, params):
        self.clients[client] = {"roots": params.get("roots", []), "cache": bytearray(1 << 16)}
        return {"protocolVersion": "2025-06-18"}

    def call(self, client, params):
        return self.tools[params["name"]](self.clients[client], **params["arguments"])

    def on_closed(self, client, params):
        self.clients.pop(client, None)

    def run(self):
        for line in sys.stdin:
            message = json.loads(line)
            route = self.routes.get(message["method"])
            if route is not None:
                result = route(message["client"], message.get("params", {}))
                print(json.dumps({"id": message.get("id"), "result": result}), flush=True)
