"""
The cache has a size, and its argument is one of a handful of currencies.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import httpx

Currency = Literal["EUR", "USD", "SEK", "UAH"]


@lru_cache(maxsize=16)  # clean: bounded size and bounded argument
def digits(currency: Currency) -> int:
    reply = httpx.get(f"https://iso.internal/4217/{currency}", timeout=5)
    return int(reply.json()["minor_units"])


def price_tag(session_id: str, cents: int, currency: Currency) -> str:
    places = digits(currency)
    return f"{cents / 10**places:.{places}f} {currency}"
