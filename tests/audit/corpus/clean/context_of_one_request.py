"""
The context object is made for one request and goes away with its response.
"""

from __future__ import annotations

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse


class RequestContext:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.spans: dict[str, float] = {}  # clean: dies with the request
        self.loaded_users: dict[int, dict[str, Any]] = {}  # clean: dies with the request

    def span(self, name: str, seconds: float) -> None:
        self.spans[f"{name}-{uuid.uuid4().hex[:6]}"] = seconds

    async def user(self, user_id: int) -> dict[str, Any]:
        if user_id not in self.loaded_users:
            self.loaded_users[user_id] = await self.request.app.state.db.user(user_id)
        return self.loaded_users[user_id]


async def thread(request: Request) -> JSONResponse:
    ctx = RequestContext(request)
    posts = await request.app.state.db.posts(request.path_params["thread_id"])
    for post in posts:
        post["author"] = (await ctx.user(post["author_id"]))["name"]
    ctx.span("render", 0.1)
    return JSONResponse({"posts": posts, "spans": ctx.spans})
