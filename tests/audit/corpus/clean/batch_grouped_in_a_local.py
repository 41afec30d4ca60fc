"""
Rows are grouped in a dictionary that only the function knows.
"""

from collections import defaultdict

from aiohttp import web


async def ingest(request: web.Request) -> web.Response:
    by_session = defaultdict(list)  # clean: local variable
    seen_ids = set()  # clean: local variable
    async for line in request.content:
        session_id, event_id, payload = line.decode().rstrip("\n").split("\t", 2)
        if event_id in seen_ids:
            continue
        seen_ids.add(event_id)
        by_session[session_id].append(payload)
    for session_id, payloads in by_session.items():
        await request.app["sink"].write(session_id, payloads)
    return web.json_response({sid: len(p) for sid, p in by_session.items()})


app = web.Application()
app.router.add_post("/ingest", ingest)
