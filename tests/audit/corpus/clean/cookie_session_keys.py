"""
What is written is one field of the session that the framework keeps in a signed cookie.
"""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route


async def login(request):
    form = await request.form()
    session = request.session  # clean: stored in the client's cookie
    session["user_id"] = form["user"]
    session["session_id"] = form["device"]
    request.state.user_id = form["user"]
    response = JSONResponse({"hello": form["user"]})
    response.headers["X-User-Id"] = form["user"]
    return response


async def me(request):
    return JSONResponse({"user": request.session.get("user_id")})


app = Starlette(
    routes=[Route("/login", login, methods=["POST"]), Route("/me", me)],
    middleware=[Middleware(SessionMiddleware, secret_key="change me", max_age=3600)],
)
