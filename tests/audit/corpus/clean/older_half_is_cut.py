"""
A table that has become too long loses the older half of its rows in the same call.
"""

import logging
import time

logger = logging.getLogger(__name__)
CEILING = 5000
_geo: dict[str, tuple[float, str]] = {}  # clean: the older half is popped above CEILING


def country_of(ip: str, reader) -> str:
    row = _geo.get(ip)
    if row:
        return row[1]
    country = reader.country(ip).country.iso_code or "??"
    _geo[ip] = (time.time(), country)
    if len(_geo) > CEILING:
        by_age = sorted(_geo, key=lambda key: _geo[key][0])
        for key in by_age[: CEILING // 2]:
            _geo.pop(key, None)
        logger.debug("geo cache cut to %d rows", len(_geo))
    return country


class CountryMiddleware:
    def __init__(self, app, reader):
        self.app = app
        self.reader = reader

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope.get("client"):
            scope["country"] = country_of(scope["client"][0], self.reader)
        await self.app(scope, receive, send)
