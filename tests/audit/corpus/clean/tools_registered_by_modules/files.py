"""
Tools for files.
"""

import anyio

from . import core


@core.tool("read_file")
async def read_file(session_id: str, path: str) -> str:
    return await anyio.Path("/srv", session_id, path).read_text()


async def list_files(session_id: str) -> str:
    return "\n".join([str(p) async for p in anyio.Path("/srv", session_id).iterdir()])


core.register("list_files", list_files)
