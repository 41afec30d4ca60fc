"""
The row is handed to an AsyncExitStack in the statement after it was made.
"""
from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any


class ToolBroker:
    def __init__(self, backends: dict[str, Any]) -> None:
        self.backends = backends
        self.active: dict[str, str] = {}  # clean: AsyncExitStack callback removes

    async def call(self, call_id: str, tool: str, arguments: dict[str, Any]) -> Any:
        async with AsyncExitStack() as stack:
            self.active[call_id] = tool
            stack.callback(self._forget, call_id)
            client = await stack.enter_async_context(self.backends[tool].connect())
            return await client.invoke(arguments)

    def _forget(self, call_id: str) -> None:
        self.active.pop(call_id, None)


async def dispatch(broker: ToolBroker, request: dict[str, Any]) -> dict[str, Any]:
    params = request["params"]
    result = await broker.call(request["id"], params["name"], params.get("arguments", {}))
    return {"jsonrpc": "2.0", "id": request["id"], "result": result}
