"""
The list of recent prompts is rebound to its own last hundred items whenever one is added.
"""
from aiohttp import web

RECENT: list[dict] = []  # clean: rebound to its last 100 items at each write


def push(conversation_id: str, prompt: str) -> None:
    global RECENT
    RECENT.append({"conversation_id": conversation_id, "prompt": prompt[:80]})
    RECENT = RECENT[-100:]


async def ask(request: web.Request) -> web.Response:
    body = await request.json()
    push(body["conversation_id"], body["prompt"])
    return web.json_response({"ok": True})


async def recent(request: web.Request) -> web.Response:
    return web.json_response(RECENT)


app = web.Application()
app.add_routes([web.post("/ask", ask), web.get("/recent", recent)])

if __name__ == "__main__":
    web.run_app(app)
