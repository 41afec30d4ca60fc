"""A hand-written memo keeps each caller's token and profile, because its dictionary lives in the decorator's closure without a bound."""

import functools

import httpx


def memoize(fn):
    memo = {}  # unseen SS001: one row for each bearer token that was ever sent

    @functools.wraps(fn)
    async def wrapper(token, *rest):
        key = (token, *rest)
        try:
            return memo[key]
        except KeyError:
            memo[key] = value = await fn(token, *rest)
            return value

    return wrapper


@memoize
async def profile_of(token, realm):
    async with httpx.AsyncClient() as client:
        response = await client.get(
            f"https://id.example/{realm}/me", headers={"Authorization": f"Bearer {token}"}
        )
    return response.json()


async def current_user(request):
    scheme, _, token = request.headers["authorization"].partition(" ")
    return await profile_of(token, "staff")
