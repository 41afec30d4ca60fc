"""
A handler that streams tokens.
"""

from aiohttp import web

from .cleanup import forget_everything
from .tables import cursor_of, tokens_of


async def stream(request):
    session_id = request.match_info["session_id"]
    response = web.StreamResponse()
    await response.prepare(request)
    tokens_of[session_id] = []
    cursor_of[session_id] = 0
    try:
        async for token in request.app["model"].stream(await request.text()):
            tokens_of[session_id].append(token)
            cursor_of[session_id] += 1
            await response.write(token.encode())
    finally:
        forget_everything(session_id)
    return response


def setup(app):
    app.router.add_post("/stream/{session_id}", stream)
