"""The two pages of a sign-in."""

import secrets

from aiohttp import web

from . import states


async def start(request):
    state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
    states.issue(state, verifier)
    where = states.providers[request.match_info["provider"]]
    raise web.HTTPFound(f"{where}?state={state}")


async def callback(request):
    verifier = states.redeem(request.query["state"])
    if verifier is None:
        raise web.HTTPBadRequest(text="this sign-in is too old")
    return web.json_response(await request.app["exchange"](request.query["code"], verifier))
