"""The rights of each connection are remembered after it closed, because the cache, under another name, is keyed by its id."""

from functools import cache as once

from memo_under_alias.tables import RIGHTS


@once  # leaks SS003: connection_id never comes twice, and is never forgotten
def rights_of(connection_id: str, group: str) -> frozenset[str]:
    return frozenset(right for right, groups in RIGHTS.items() if group in groups)


@once  # clean: there are a few groups
def pages_of(group: str) -> tuple[str, ...]:
    return tuple(sorted(f"/{right}" for right in RIGHTS if group in RIGHTS[right]))
