"""
Emitters: how one listens to them, and which of them outlive the session that listens.
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
    "addListener": ("removeListener", "remove_listener", "off"),
    "add_listener": ("remove_listener", "off", "remove_all_listeners"),
    "add_event_listener": ("remove_event_listener", "remove_listener"),
    "add_callback": ("remove_callback", "discard_callback"),
    "add_observer": ("remove_observer", "unobserve"),
    "register": ("unregister", "deregister", "remove"),
    "register_callback": ("unregister_callback", "deregister_callback", "remove_callback"),
    "register_handler": ("unregister_handler", "deregister_handler", "remove_handler"),
    "connect": ("disconnect",),
    "observe": ("unobserve", "unobserve_all"),
    "attach": ("detach",),
    "bind": ("unbind",),
    "async_listen": (),
}
"""What registers a listener, with what takes it back."""
FAMILY: Final = re.compile(
    r"^(async_)?add_(?!done_|signal_|event_handler|exception_|reader|url_)(\w+_)?"
    r"(callback|listener|handler|observer|subscriber|watcher)$|^subscribe_\w+$"
)
RETURNS: Final = re.compile(r"^async_(track_\w+|dispatcher_connect)$")
"""Functions that return what takes the listener back."""
WEAK: Final = frozenset(
    {"register", "connect", "attach", "bind", "observe", "watch", "listen", "add_callback"}
)
"""Words that mean many other things too."""
SIGNAL: Final = re.compile(
    r"(^|[._@$])(signals?|\w*_signal|\w+_(changed|received|sent|created|updated|deleted))$"
)
BUS: Final = re.compile(
    r"^_*(\w*_)?(bus|emitter|dispatcher|broker|hub|signals?|events|pubsub|pub_sub|notifier|publisher"
    r"|feeds?|event_?(manager|logger|source|stream|system|engine|router)|eventbus|subject|observable)$",
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


def removers(verb: str) -> tuple[str, ...] | None:
    """
    Return what takes back a listener that *verb* registers; None if that registers none.
    """
    if verb in PAIRS:
        return PAIRS[verb]
    if RETURNS.match(verb):
        return ()
    if not FAMILY.match(verb):
        return None
    if verb.startswith("subscribe"):
        return (f"un{verb}", "unsubscribe")
    return (verb.replace("add_", "remove_"), verb.replace("add_", "discard_"))


def last_name(path: str) -> str:
    """
    Return the last name in a path.
    """
    return path.rpartition(".")[2].rpartition(">")[2].lstrip("@$%^")


def outlives(project: Project, func: Func, path: str, verb: str) -> bool:
    """
    Tell whether an emitter outlives what *func* does.
    """
    tail = last_name(path)
    if RETURNS.match(verb):
        return True
    if CLOSE.match(tail) or tail[:1].isupper():
        return False
    bus = bool(BUS.match(tail))
    if path.startswith("@"):
        return _global(project, func, path, known=bus or verb not in WEAK, bus=bus)
    if "." in path.removeprefix("self."):
        return (bus or verb not in WEAK) and bool(APPLICATION.search(path))
    if path.startswith("self."):
        return (bus or (verb not in WEAK and verb != "on")) and _given(project, func, path)
    return bus and path[0] in "$^%" and _parameter(func, path)


def _global(project: Project, func: Func, path: str, *, known: bool, bus: bool) -> bool:
    head, _, rest = path[1:].partition(".")
    target = func.module.facts.imports.get(head)
    if target is None:
        module = func.module.facts.functions[0]
        made = module.qualname == MODULE and (f"@{head}", "=") in module.touches
        return made and known and not rest
    found = project.imported(func.module, head)
    if found is not None and not found[1]:
        return known
    if ":" not in target:
        return bus and bool(rest)
    return known and (bus or not rest)


def _given(project: Project, func: Func, path: str) -> bool:
    """
    Tell whether an object was given its emitter, and did not make it.
    """
    kind = project.type_of(func)
    known = False
    for one in project.lineage(kind) if kind is not None else ():
        for method in one.methods.values():
            if (path, "=") not in method.fact.touches:
                continue
            for event in flattened(method.fact.block()):
                if event[1] == path and event[2] == "=":
                    if event[7].endswith("()") and not re.match(r"(get_|current_)", event[7]):
                        return False
                    known = True
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
