"""Expired key-value blocks are never dropped, because cleanup_expired() exists and nobody calls it."""

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Block:
    tensor: bytes
    expires_at: float


class PinRegistry:
    """Pinned blocks of running requests, by request."""

    def __init__(self, ttl: float = 300.0):
        self.ttl = ttl
        self._pinned: dict[str, Block] = {}  # leaks SS002d: cleanup_expired() has no caller

    def pin(self, request_id: str, tensor: bytes) -> None:
        self._pinned[request_id] = Block(tensor, time.monotonic() + self.ttl)

    def tensor(self, request_id: str) -> bytes | None:
        block = self._pinned.get(request_id)
        return block.tensor if block else None

    def cleanup_expired(self) -> int:
        now = time.monotonic()
        expired = [r for r, block in self._pinned.items() if block.expires_at <= now]
        for request_id in expired:
            del self._pinned[request_id]
        return len(expired)


registry = PinRegistry()


async def prefill(request, engine):
    registry.pin(request.request_id, await engine.prefill(request.prompt))
    return registry.tensor(request.request_id)
