"""
The settings hang on the connection object by a weak key, and say goodbye together with it.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

_prefs: WeakKeyDictionary[asyncio.StreamWriter, dict[str, str]] = WeakKeyDictionary()  # clean: weak keys


def set_pref(peer: asyncio.StreamWriter, key: str, value: str) -> None:
    _prefs.setdefault(peer, {})[key] = value


async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while line := await reader.readline():
            match line.decode().split():
                case ["SET", key, value]:
                    set_pref(writer, key, value)
                    writer.write(b"OK\n")
                case ["GET", key]:
                    found = _prefs.get(writer, {}).get(key, "")
                    writer.write(found.encode() + b"\n")
                case _:
                    writer.write(b"WHAT\n")
            await writer.drain()
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve_one, port=7007)
    async with server:
        await server.serve_forever()


asyncio.run(main())
