"""
The property gives out the set itself, and the endpoint discards its socket from it in a finally.
"""

from __future__ import annotations

from typing import Any


class Dashboard:
    def __init__(self) -> None:
        self._clients: set[Any] = set()  # clean: endpoint.py discards through the property

    @property
    def clients(self) -> set[Any]:
        return self._clients

    async def broadcast(self, payload: dict[str, Any]) -> None:
        for client in tuple(self._clients):
            await client.send_json(payload)


dashboard = Dashboard()
