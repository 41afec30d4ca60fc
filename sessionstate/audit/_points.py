"""
How sure a finding is: points for each thing that speaks for a leak, or against one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sessionstate.audit._calling import Calls
from sessionstate.audit._conditions import text_of
from sessionstate.audit._containers import CLOSURE, GLOBAL, STATE, Kept, Op
from sessionstate.audit._facts import ASYNC
from sessionstate.audit._findings import Confidence
from sessionstate.audit._growth import REGISTRY
from sessionstate.audit._keys import Domain
from sessionstate.audit._owners import Lifetime, is_routed
from sessionstate.audit._project import Func
from sessionstate.audit._ranks import Judgement, Rank

HIGH: Final = 7.0
MEDIUM: Final = 5.0
"""From how many points on."""

BY_DOMAIN: Final = {Domain.SESSION: 3.0, Domain.LIKELY: 2.0, Domain.UNKNOWN: 0.5}
BY_LIFETIME: Final = {Lifetime.LONG: 2.5, Lifetime.LIKELY: 2.0, Lifetime.UNKNOWN: 1.5}
BY_SCOPE: Final = {GLOBAL: 0.5, STATE: 0.5, CLOSURE: -0.5}
BY_RANK: Final = {
    Rank.CANCELLED: -2.0,
    Rank.LATE: -0.5,
    Rank.STRAIGHT: 0.5,
    Rank.GUARDED: -0.5,
    Rank.ONE_EXCEPT: 1.0,
    Rank.EVENT: -0.5,
    Rank.COMMAND: -0.5,
    Rank.ASKED: -2.0,
}
"""What the best removal rests on; nothing for the other ranks."""
TWIN: Final = 2.0
"""A container beside it is emptied."""
IN_MEMORY: Final = 2.5
"""Its class says that it stands in for something that lasts: nobody asks for the removal."""
SERVES: Final = 1.0
"""A write runs for a request."""
PLAIN_LIST: Final = -1.0
"""A list of what is no session."""
REGISTERS: Final = -2.0
"""Each write is in a function that is told what there is."""
WARNED: Final = -3.0
"""It remembers what was warned of."""
SETTLED: Final = -1.0
"""Its name is one of what is filled once."""
LIVELY: Final = 0.5
"""Its name is one of what comes with sessions."""

WARNINGS: Final = re.compile(r"(?i)warn|shown|emitted|logged|deprecat|notice|log_|already_")
"""Names of containers that remember what was told, so that it is told once."""
SETTLED_NAME: Final = re.compile(
    r"(?i)(cache|memo|registry|loaded|compiled|templates?|config|schema|types?|handlers?"
    r"|hooks?|factories|converters|plugins|providers|routes)s?$"
)
"""Names of containers that are filled as the program is loaded."""
LIVELY_NAME: Final = re.compile(
    r"(?i)(session|conn|client|user|socket|agent|lock|task|room|peer|thread|conversation"
    r"|stream|queue|pending|waiter|future|job|request)"
)
"""Names of containers of what comes and goes."""


def confidence_of(points: float) -> Confidence:
    """
    Return how sure a finding with so many points is.
    """
    if points >= HIGH:
        return Confidence.HIGH
    return Confidence.MEDIUM if points >= MEDIUM else Confidence.LOW


def points(
    kept: Kept,
    writes: Sequence[Op],
    *,
    domain: Domain,
    lifetime: Lifetime,
    best: Judgement | None,
    calls: Calls,
) -> float:
    """
    Return the points of a container that is written with keys of *domain*.
    """
    found = BY_DOMAIN[domain] + BY_LIFETIME[lifetime] + BY_SCOPE.get(kept.scope, 0.0)
    if best is not None:
        found += BY_RANK.get(best.rank, 0.0)
        if best.rank is Rank.ASKED and "Memory" in kept.name:
            found += IN_MEMORY
    if kept.kind == "list" and not any(text_of(op.key) == "self" for op in writes):
        found += PLAIN_LIST
    if any(_serves(op.func, calls) for op in writes):
        found += SERVES
    if all(REGISTRY.match(op.func.name) for op in writes):
        found += REGISTERS
    if domain is not Domain.SESSION and WARNINGS.search(kept.attribute):
        found += WARNED
    if SETTLED_NAME.search(kept.attribute):
        found += SETTLED
    if LIVELY_NAME.search(kept.attribute):
        found += LIVELY
    return found


def _serves(func: Func, calls: Calls) -> bool:
    """
    Tell whether *func* runs for a request.
    """
    runs = (func, *(site.func for site in calls.sites(func)))
    return any(each.fact.flags & ASYNC or is_routed(each) for each in runs)
