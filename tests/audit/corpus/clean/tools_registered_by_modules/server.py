"""
A server that offers the tools, one line of JSON for each call.
"""

import json

from . import core, files

OFFERED = (files.read_file, files.list_files)


async def on_line(session, line: str) -> str:
    request = json.loads(line)
    text = await core.call(session.id, request["tool"], **request.get("arguments", {}))
    return json.dumps({"id": request["id"], "text": text})
