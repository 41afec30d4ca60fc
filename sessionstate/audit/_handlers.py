"""
Handlers: whether what is registered holds what belongs to a session.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from sessionstate.audit._events import OP, Event, called
from sessionstate.audit._flow import flattened
from sessionstate.audit._project import Func
from sessionstate.audit._servers import later, variables

HEARS: Final = re.compile(r"^_?(send|put|write|on|handle|push|notify|emit|set)(_|$)")
UNNAMED: Final = "~r:"
"""How an argument begins that is made on the spot, such as a lambda."""


def handler_of(
    event: Event, before: tuple[Event, ...], func: Func, partials: Iterable[str]
) -> str | None:
    """
    Return the handler if it holds what belongs to a session; None otherwise.
    """
    for given in reversed(event[6]):
        name, _, value = given.partition("=")
        each = value if name.isidentifier() and value else given
        if _holds(each, before, func, partials):
            return str(each)
        if each.startswith(("self.", "^", UNNAMED)) and "()" not in each:
            return None
    return None


def _holds(each: str, before: tuple[Event, ...], func: Func, partials: Iterable[str]) -> bool:
    last = each.rpartition(".")[2]
    if each.startswith("self.") and func.fact.cls:
        return _callable(func, last)
    if each.startswith(variables(func)):
        return _refers(func, each.rpartition(">")[2])
    if each == UNNAMED:
        return any(_of_caller(one[1], func) for one in later(before))
    if each.startswith(UNNAMED):
        return "partial()" in each and any(map(binds, before))
    if each in partials:
        return True
    return each.startswith(("$", "%")) and "." in each and bool(HEARS.match(last))


def binds(event: Event) -> bool:
    """
    Tell whether an event is a `partial` over a variable, or over an object's own method.
    """
    if event[0] != OP or called(event) != "partial":
        return False
    return any(given.rpartition("=")[2].startswith(("$", "self", "%")) for given in event[6])


def _callable(func: Func, name: str) -> bool:
    wanted = f"{func.fact.cls}.{name}"
    known = any(each.qualname == wanted for each in func.module.facts.functions)
    return known or bool(HEARS.match(name))


def _of_caller(path: str, func: Func) -> bool:
    """
    Tell whether *path* is a variable of *func*, or its object.
    """
    if path.startswith((variables(func), "self.")) or path == "self":
        return True
    kinds = {f"%{annotation}" for _, annotation in func.fact.parameters if annotation}
    return path in kinds or path.rpartition(".")[0] in kinds


def _refers(func: Func, name: str) -> bool:
    """
    Tell whether a function defined in *func* refers to a variable of it, or to `self`.
    """
    wanted = f"{func.fact.qualname}.{name}"
    return any(
        _of_caller(path, func)
        for fact in func.module.facts.functions
        if fact.qualname == wanted or fact.qualname.startswith(f"{wanted}.")
        for event in flattened(fact.block())
        for path in (event[1], *event[6])
    )
