"""
How long the owner of a container lives: as the program, or as one session.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

from sessionstate.audit._calling import Calls
from sessionstate.audit._containers import ATTRIBUTE, Containers, Kept
from sessionstate.audit._contexts import Seen
from sessionstate.audit._facts import MODULE
from sessionstate.audit._keys import Domain, Keys
from sessionstate.audit._project import Func, Project, Type
from sessionstate.audit._vocabulary import LONG_OWNER, SHORT_OWNER

FACTORY: Final = re.compile(
    r"^(main|_main|lifespan|create|make|build|setup|set_up|serve|run|start|init|register|install|async_main"
    r"|get|app|bootstrap|configure|add|include|mount|wire|attach|load|prepare|launch|async_setup)"
)
"""Functions that run once, and whose variables live as long as what they make."""
ROUTE: Final = re.compile(
    r"\.(get|post|put|patch|delete|websocket|websocket_route|route|api_route|ws|event|on|command|tool"
    r"|message|message_handler|callback_query|callback_query_handler|handler|middleware|listen|listener"
    r"|resource|prompt|call_tool|task|subscriber|rpc|method|hybrid_command|slash_command|action)\b"
)
"""Decorators of what runs for one request, message or command."""
STARTS: Final = re.compile(
    r"^_*(main|create_app|make_app|build_app|lifespan|serve|run_server|async_main)$"
)
"""Functions that run once, for as long as the program."""
REQUESTS: Final = re.compile(
    r"(?i)^(request|req|websocket|ws|session|conn|connection|message|event|ctx|interaction|update)"
    r"(_id)?$|WebSocket|Request$|Interaction$|StreamWriter"
)
"""Parameters, and their types, of what runs for one request."""
SHORT_BASES: Final = re.compile(
    r"(NodeVisitor|NodeTransformer|Exception|Error|BaseModel|TypedDict|NamedTuple|Enum|TestCase|Thread"
    r"|HTMLParser|Schema|View|APIView|Form|Model|Action|JSONEncoder|Command|Warning|ABCMeta|type"
    r"|RequestHandler|BaseRequestHandler|BaseHTTPRequestHandler|StreamRequestHandler|WebSocketHandler)$"
)
"""Classes of others, of whose children there are many, each for a while."""
FIELDS: Final = re.compile(r"dataclass|define|attr")
"""Decorators of classes whose body describes what each instance gets."""
GIVEN_APP: Final = frozenset(
    {"app", "server", "bot", "client", "loop", "callback", "cb", "listener"}
)
"""Parameters that may look like a session's, and come once."""
STORES: Final = frozenset({"=", "[]=", "setdefault", "append", "add"})
"""What puts something somewhere."""


class Lifetime(IntEnum):
    """
    How long an owner lives.
    """

    SHORT = 0
    """As long as one session, or less."""
    UNKNOWN = 1
    LIKELY = 2
    """As long as the program, by its name."""
    LONG = 3
    """As long as the program."""


class Owners:
    """
    Tells how long the owner of a container lives.
    """

    def __init__(self, project: Project, containers: Containers, calls: Calls, keys: Keys) -> None:
        self._project = project
        self._containers = containers
        self._calls = calls
        self._keys = keys
        self._known: dict[int, Lifetime] = {}

    def lifetime(self, kept: Kept) -> Lifetime:
        """
        Return how long the owner of *kept* lives.
        """
        if kept.maker is not None:
            return self._of_function(kept.maker)
        if kept.owner is None or (kept.scope == ATTRIBUTE and self.is_shared(kept)):
            return Lifetime.LONG
        return self.of_type(kept.owner)

    def is_shared(self, kept: Kept) -> bool:
        """
        Tell whether a class has it, not each of its instances.
        """
        owner = kept.owner
        assert owner is not None
        bodies = [f for f in kept.module.facts.functions if f.qualname == owner.fact.qualname]
        made = any(
            path == f"self.{kept.attribute}" and kind and line == kept.line
            for body in bodies
            for path, kind, line, _, _ in body.makes
        )
        if not made:
            return False
        if any(map(FIELDS.search, owner.fact.decorators)):
            return False
        return not SHORT_BASES.search(" ".join(owner.fact.bases) or "-")

    def _of_function(self, func: Func) -> Lifetime:
        """
        Return how long a local variable of *func* lives, if functions inside use it.
        """
        if is_routed(func):
            return Lifetime.SHORT
        for name, annotation in func.fact.parameters:
            comes = self._keys.domain(f"p:{name}|{annotation}") is Domain.SESSION
            if comes and name not in GIVEN_APP:
                return Lifetime.SHORT
        prefix = f"{func.fact.qualname}."
        inner = [f for f in func.module.facts.functions if f.qualname.startswith(prefix)]
        if any(ROUTE.search(f".{each}") for f in inner for each in f.decorators):
            return Lifetime.LONG
        if any("wraps" in each for f in inner for each in f.decorators):
            return Lifetime.LIKELY  # what a decorator keeps lives as long as what it decorates
        if FACTORY.match(func.name.lstrip("_")):
            return Lifetime.LIKELY
        return Lifetime.UNKNOWN

    def of_type(self, kind: Type) -> Lifetime:
        """
        Return how long an instance of *kind* lives.
        """
        found = self._known.get(id(kind))
        if found is None:
            self._known[id(kind)] = Lifetime.UNKNOWN  # while it is being asked
            found = self._known[id(kind)] = self._of_type(kind)
        return found

    def _of_type(self, kind: Type) -> Lifetime:
        for base in self._project.lineage(kind):
            for each in base.fact.bases:
                if each.endswith("DatagramProtocol"):
                    return Lifetime.LIKELY  # one for the socket, not one for each peer
                if SHORT_BASES.search(each.rpartition(".")[2]) and not self._project.find_type(
                    base.module, each
                ):
                    return Lifetime.SHORT
        made = self._made(kind)
        if Lifetime.LONG in made:
            return Lifetime.LONG
        name = kind.name
        if Lifetime.SHORT in made:
            return Lifetime.UNKNOWN if LONG_OWNER.search(name) else Lifetime.SHORT
        if LONG_OWNER.search(name):
            return Lifetime.LIKELY
        if SHORT_OWNER.search(name):
            return Lifetime.SHORT
        return max(made, default=Lifetime.UNKNOWN)

    def _made(self, kind: Type) -> set[Lifetime]:
        """
        Return how long those live that are made in the project.
        """
        found: set[Lifetime | None] = set()
        made_here: list[tuple[Func, Seen]] = []
        for caller in self._project.callers.get(kind.name, ()):
            if caller.module.is_test:
                continue
            for seen in self._calls.events(caller):
                _, path, name, _, _, _, arguments, _ = seen.event
                if name == "=" and _is_instance(arguments[0], kind.name):
                    found.add(self._assigned(caller, path))
                elif name == "()" and path.rpartition(".")[2].lstrip("@") == kind.name:
                    made_here.append((caller, seen))
                elif name in {"[]=", "setdefault"} and any(
                    _is_instance(a, kind.name) for a in arguments
                ):
                    several, _ = self._containers.resolve(caller, path)
                    if several:
                        found.add(Lifetime.SHORT)
        for caller, seen in made_here:
            found.add(self._made_within(caller, seen, kind.name))
        return {each for each in found if each is not None}

    def _made_within(self, caller: Func, seen: Seen, name: str) -> Lifetime | None:
        """
        Return how long one lives that a function makes for itself; None if it is put somewhere.
        """
        line = seen.event[3]
        for other in self._calls.events(caller):
            if (
                other.event[2] in STORES
                and other.event[3] == line
                and any(_is_instance(a, name) for a in other.event[6])
            ):
                return None
        if caller.fact.qualname == MODULE or STARTS.match(caller.name):
            return Lifetime.LONG
        if is_routed(caller):
            return Lifetime.SHORT
        taken = any(REQUESTS.search(p) or REQUESTS.search(a) for p, a in caller.fact.parameters)
        return Lifetime.SHORT if taken else Lifetime.UNKNOWN

    def _assigned(self, caller: Func, path: str) -> Lifetime:
        if caller.fact.qualname == MODULE or path[0] == "@":
            return Lifetime.LONG
        if path.startswith("self."):
            owner = self._project.type_of(caller)
            assert owner is not None  # there is no `self` outside of a class
            if caller.fact.qualname == owner.fact.qualname:
                return Lifetime.LONG
            return self.of_type(owner)
        if ".state." in path or "app." in path or ".[" in path:
            return Lifetime.LONG
        return Lifetime.UNKNOWN


def is_routed(func: Func) -> bool:
    """
    Tell whether *func* runs for one request, message or command.
    """
    return any(ROUTE.search(f".{each}") for each in func.fact.decorators)


def _is_instance(path: str, name: str) -> bool:
    return path[:1] == "%" and path.rpartition(".")[2].lstrip("%") == name
