"""Visitors who left long ago are not counted and not removed, because everyone who reads the table skips what is too old."""

import time

last_seen: dict[str, float] = {}  # leaks SS010: compared in online(), deleted by nobody
pages = {"/", "/shop", "/about"}  # clean: constant


def saw(visitor: str) -> None:
    last_seen[visitor] = time.time()


def online(within: float = 120.0) -> list[str]:
    limit = time.time() - within
    return [visitor for visitor, when in last_seen.items() if when > limit]
