"""
Lines of JSON over a pair of streams.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any


class LineTransport:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def frames(self) -> AsyncIterator[dict[str, Any]]:
        while line := await self._reader.readline():
            yield json.loads(line)

    async def send(self, frame: dict[str, Any]) -> None:
        self._writer.write(json.dumps(frame).encode() + b"\n")
        await self._writer.drain()
