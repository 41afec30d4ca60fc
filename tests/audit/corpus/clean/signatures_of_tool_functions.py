"""
The cache is keyed by function objects that are defined in the source, so it is as long as the source.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

_parameters: dict[Callable[..., Any], frozenset[str]] = {}  # clean: keyed by module-level functions


def accepted(fn: Callable[..., Any]) -> frozenset[str]:
    names = _parameters.get(fn)
    if names is None:
        names = frozenset(inspect.signature(fn).parameters)
        _parameters[fn] = names
    return names


def search(query: str, session_id: str) -> str:
    return f"results for {query}"


def now() -> str:
    return "noon"


TOOLS = {"search": search, "now": now}


def run_tool(session_id: str, name: str, arguments: dict[str, Any]) -> str:
    fn = TOOLS[name]
    offered = {**arguments, "session_id": session_id}
    return fn(**{key: value for key, value in offered.items() if key in accepted(fn)})
