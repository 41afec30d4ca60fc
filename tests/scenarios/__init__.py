"""
The catalogue of scenarios: what programs do with sessions, to be disturbed at every step.

Each is an async function, or an async generator function, of a `World`. It opens sessions, and
takes resources that have to be released exactly once, whatever is done to it.
"""

from . import (
    blocks,
    clean_up,
    containers,
    contexts,
    deadlines,
    families,
    groups,
    hooks,
    listeners,
    loads,
    memory,
    processes,
    room,
    shutdown,
    state,
    tasks,
    timers,
)
from ._catalogue import CATALOGUE, Scenario

__all__ = [
    "CATALOGUE",
    "Scenario",
    "blocks",
    "clean_up",
    "containers",
    "contexts",
    "deadlines",
    "families",
    "groups",
    "hooks",
    "listeners",
    "loads",
    "memory",
    "processes",
    "room",
    "shutdown",
    "state",
    "tasks",
    "timers",
]
