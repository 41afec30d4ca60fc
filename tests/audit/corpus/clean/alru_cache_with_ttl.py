"""
The decorator of the cache has both a size and a time to live.
"""

import httpx
from async_lru import alru_cache
from starlette.responses import JSONResponse


@alru_cache(maxsize=64, ttl=120)  # clean: 64 rows and two minutes at most
async def feature_flags(environment: str) -> frozenset[str]:
    async with httpx.AsyncClient(timeout=3) as client:
        reply = await client.get(f"https://flags.internal/{environment}")
    return frozenset(reply.json())


async def flags(request):
    environment = "staging" if request.url.hostname.startswith("staging.") else "production"
    found = await feature_flags(environment)
    return JSONResponse({"session_id": request.cookies.get("sid"), "flags": sorted(found)})
