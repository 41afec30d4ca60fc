"""
Emitters: which of them outlive the session that listens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sessionstate.audit._facts import MODULE
from sessionstate.audit._flow import flattened
from sessionstate.audit._project import Func, Project

PAIRS: Final[Mapping[str, tuple[str, ...]]] = {
    "on": ("off", "remove_listener", "removeListener", "remove_all_listeners", "un"),
    "subscribe": ("unsubscribe", "dispose", "cancel", "unsubscribe_all", "remove"),
    "listen": ("unlisten", "remove_listener", "off", "remove"),
    "watch": ("unwatch", "remove_watch"),
    "add_listener": ("remove_listener", "off", "remove_all_listeners"),
    "addListener": ("removeListener", "remove_listener", "off"),
    "add_event_listener": ("remove_event_listener", "remove_listener"),
    "add_handler": ("remove_handler", "removeHandler"),
    "add_callback": ("remove_callback", "discard_callback"),
    "add_observer": ("remove_observer", "unobserve"),
    "add_subscriber": ("remove_subscriber", "unsubscribe"),
    "register": ("unregister", "deregister", "remove"),
    "register_callback": ("unregister_callback", "deregister_callback", "remove_callback"),
    "register_handler": ("unregister_handler", "deregister_handler", "remove_handler"),
    "connect": ("disconnect",),
    "observe": ("unobserve", "unobserve_all"),
    "attach": ("detach",),
    "bind": ("unbind",),
}
"""What registers a listener, with what takes it back."""
WEAK: Final = frozenset({"register", "connect", "attach", "bind", "observe", "watch", "listen"})
"""Words that mean many other things too."""
MADE_BY: Final = re.compile(
    r"^_*(\w*_)?(bus|emitter|dispatcher|broker|hub|signals?|events|pubsub|pub_sub|notifier|publisher"
    r"|event_?(manager|logger|loop_bus|source|stream|system|engine|router)|eventbus|subject|observable)$",
    re.IGNORECASE,
)
"""What is there for others to listen to, by its name."""
APPLICATION: Final = re.compile(
    r"(^|[.@$%>])(app|application|hass|server|bot|sio|socketio|state)(\.|$)"
)
CLOSE: Final = re.compile(
    r"^_*(ws|websocket|socket|sock|conn|connection|session|request|process|proc|stream|stdout|stdin"
    r"|stderr|transport|client|reader|writer|channel|page|browser|driver|peer|call|room|pc|track)s?$",
    re.IGNORECASE,
)
"""What goes with the session itself."""


def outlives(project: Project, func: Func, path: str) -> int:
    """
    Tell how sure it is that an emitter outlives what *func* does: 0 no, 1 perhaps, 2 yes.
    """
    tail = path.rpartition(".")[2].rpartition(">")[2].lstrip("@$%^")
    if CLOSE.match(tail) or tail[:1].isupper():
        return 0
    bus = bool(MADE_BY.match(tail))
    if path.startswith("@"):
        return _global(project, func, path, bus=bus)
    if not bus:
        return 0
    if "." in path.removeprefix("self."):
        return 2 if APPLICATION.search(path) else 0
    if path.startswith("self."):
        return _attribute(project, func, path)
    return 2 if path[0] in "$^%" and _parameter(func, path) else 0


def _global(project: Project, func: Func, path: str, *, bus: bool) -> int:
    head = path[1:].partition(".")[0]
    target = func.module.facts.imports.get(head)
    if target is None:
        made = any(
            how == "=" and touched == f"@{head}"
            for fact in func.module.facts.functions
            if fact.qualname == MODULE
            for touched, how in fact.touches
        )
        return (2 if bus or "." not in path else 1) if made else 0
    if ":" not in target:
        return 2 if bus and "." in path else 0
    found = project.imported(func.module, head)
    if found is not None and not found[1]:
        return 2 if bus and "." in path else 0
    return 2 if bus else 1


def _attribute(project: Project, func: Func, path: str) -> int:
    """
    Judge an emitter that an object has: it may be given to it, or made by it.
    """
    kind = project.type_of(func)
    if kind is None:
        return 0
    known = 0
    for one in project.lineage(kind):
        for method in one.methods.values():
            if (path, "=") not in method.fact.touches:
                continue
            for event in flattened(method.fact.block()):
                if event[1] == path and event[2] == "=":
                    if event[7].endswith("()") and not re.match(r"(get_|current_)", event[7]):
                        return 0
                    known = 2
    return known


def _parameter(func: Func, path: str) -> bool:
    name = path.rpartition(">")[2].lstrip("$%^")
    return any(name in {given, annotation} for given, annotation in func.fact.parameters)


def is_ours(project: Project, func: Func, other: Func) -> bool:
    """
    Tell whether two functions are methods of one class, or of classes that are based on one.
    """
    one, two = project.type_of(func), project.type_of(other)
    if one is None or two is None:
        return False
    return two in project.lineage(one) or one in project.lineage(two)
