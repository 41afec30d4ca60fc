"""
Who serves whom: which functions run once for each session, which objects there are many of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from sessionstate.audit._events import AWAIT, LATER, OP, YIELD, Event, called
from sessionstate.audit._facts import ASYNC, MODULE, Function
from sessionstate.audit._findings import Place
from sessionstate.audit._flow import flattened
from sessionstate.audit._lowering import DO, IF, LOOP, RAISE, RETURN, WITH, Block, Statement
from sessionstate.audit._project import Func, Module, Project, Type
from sessionstate.audit._settings import Settings
from sessionstate.audit._vocabulary import LONG_OWNER

OBJECT: Final = re.compile(
    r"^(request|req|websocket|web_socket|ws|conn|connection|interaction|peer|stream_?writer)$"
)
"""A parameter that is the session itself, or what came with it."""
IDENTITY: Final = re.compile(
    r"^((session|user|client|chat|conversation|conv|thread|request|req|connection|conn|task|job|run"
    r"|call|room|peer|player|game|visitor|guest|order|message|msg|account|customer|execution"
    r"|invocation|transaction|upload|correlation|ticket|turn|member|participant)_?"
    r"(id|uuid|uid|key|token|guid)|sid|session_?name|access_token|auth_token|bearer_token|jwt"
    r"|ip|ip_?addr(ess)?|client_ip|remote_addr|email|username|phone(_number)?|nonce)$",
    re.IGNORECASE,
)
"""A parameter that says which session is meant."""
ROUTE: Final = re.compile(
    r"(^|\.)(page|route|get|post|put|patch|websocket|websocket_route|ws|api_route|api_websocket_route)\(\)"
)
"""A decorator of what is called for each request."""
KIND: Final = re.compile(
    r"^(WebSocket\w*|Request|HTTPRequest|HttpRequest|HTTPConnection|StreamWriter|StreamReader"
    r"|Interaction|AsyncSession|ServerSession|WebSocketServerProtocol|ServerConnection|Ws\w*)$"
)
SHORT_NAME: Final = frozenset(
    {"client", "user", "chat", "conversation", "session", "visitor", "peer"}
)
"""A parameter that says which session is meant, if it is text or a number."""
PASSING: Final = re.compile(
    r"(Session|Request|Connection|Conversation|Visitor|Turn|Transaction|Peer|Participant|Player"
    r"|RequestHandler|SocketHandler|Consumer|ClientHandler|ConnectionHandler|WebSocketConnection)$"
)
"""Classes of which there is one for each session, by their names."""
SETS_UP: Final = re.compile(
    r"^_*(main|start\w*|run|run_\w+|serve|set_?up\w*|init\w*|__init__|create_\w*app|make_\w*app|build_\w*"
    r"|get_app|lifespan|on_start\w*|startup|__aenter__|__enter__|__post_init__|configure\w*|launch\w*"
    r"|bootstrap|install\w*|register_\w+|include_\w+|open|boot|on_load|cog_load|async_setup\w*)$"
)
"""Functions that run once, or once for each owner."""
SCRIPT: Final = re.compile(
    r"(^|/)(cli|commands?|scripts?|bin|tools?|examples?|ext|compiler)(/|\.py$)|__main__\.py$"
)
COMMAND_LINE: Final = frozenset({"argparse", "click", "typer", "fire", "docopt"})


EVENTS: Final = frozenset({OP, AWAIT, LATER, YIELD})


class Taken(NamedTuple):
    """
    A statement's events, with the statement that they belong to.
    """

    tag: str
    line: int
    events: tuple[Event, ...]


def statements(block: Block) -> Iterator[Taken]:
    """
    Yield the events of each statement in *block*, the nested ones too.
    """
    for each in block:
        tag, line = each[0], each[1]
        if tag in {DO, RETURN, RAISE, IF, LOOP}:
            yield Taken(tag, line, each[2])
        elif tag == WITH:
            for _, events in each[2]:
                yield Taken(tag, line, events)
        for part in parts(each):
            yield from statements(part)


def parts(statement: Statement) -> Iterator[Block]:
    """
    Yield the blocks that *statement* consists of.
    """
    match statement[0]:
        case "I" | "L":
            yield from statement[5:7]
        case "T":
            yield statement[2]
            for _, _, block in statement[3]:
                yield block
            yield from statement[4:6]
        case "W":
            yield statement[3]
        case _:
            pass


def all_statements(block: Block) -> Iterator[Statement]:
    """
    Yield each statement in *block*, the outer before the inner.
    """
    for each in block:
        yield each
        for part in parts(each):
            yield from all_statements(part)


def every(block: tuple[Any, ...]) -> Iterator[Event]:
    """
    Yield each event of *block* in the order of the source, a lambda as one.
    """
    for item in block:
        if isinstance(item, tuple) and item:
            yield from _event_or_more(item)  # pyright: ignore[reportUnknownArgumentType]


def _event_or_more(item: tuple[Any, ...]) -> Iterator[Event]:
    if item[0] in EVENTS and len(item) > 1 and not isinstance(item[1], tuple):
        yield item
    else:
        yield from every(item)


def ops(events: Iterable[Event]) -> Iterator[Event]:
    """
    Yield the operations in *events*, without those of lambdas.
    """
    return (event for event in events if event[0] == OP)


def later(events: Iterable[Event]) -> Iterator[Event]:
    """
    Yield the operations of the lambdas in *events*.
    """
    for event in events:
        if event[0] == LATER:
            yield from ops(event[2])
            yield from later(event[2])


def session_parameters(func: Func, settings: Settings | None = None) -> list[str]:
    """
    Return the parameters of *func* that are a session, or say which.
    """
    keys: tuple[str, ...] = settings.session_keys if settings is not None else ()
    bounded: tuple[str, ...] = settings.bounded_keys if settings is not None else ()
    return [
        name
        for name, annotation in func.fact.parameters
        if name not in bounded
        and (
            name in keys
            or OBJECT.match(name)
            or IDENTITY.match(name)
            or KIND.match(annotation)
            or (name in SHORT_NAME and annotation in {"str", "int", "UUID", "bytes"})
        )
    ]


def per_session(project: Project, func: Func, settings: Settings | None = None) -> bool:
    """
    Tell whether *func* runs once for each session, as far as its parameters and its class say.
    """
    if session_parameters(func, settings):
        return True
    if any(map(ROUTE.search, func.fact.decorators)):
        return True
    outer = outer_of(func)
    if outer is not None and any(
        each.fact.qualname == outer and session_parameters(each, settings)
        for each in project.named.get(outer.rpartition(".")[2], ())
        if each.module is func.module
    ):
        return True
    kind = project.type_of(func)
    return kind is not None and many(project, kind)


def outer_of(func: Func) -> str | None:
    """
    Return the function that *func* is defined in, if it is.
    """
    outer = func.fact.qualname.rpartition(".")[0]
    return outer if outer and outer != func.fact.cls else None


def passing(kind: Type) -> bool:
    """
    Tell whether there are many of a class, each for a while, as far as its names tell.
    """
    if LONG_OWNER.search(kind.name) and not PASSING.search(kind.name):
        return False
    return any(PASSING.search(name.rpartition(".")[2]) for name in (kind.name, *kind.fact.bases))


def many(project: Project, kind: Type) -> bool:
    """
    Tell whether there is one of a class for each session.
    """
    if single(project, kind):
        return False
    if passing(kind):
        return True
    if LONG_OWNER.search(kind.name):
        return False
    init = kind.methods.get("__init__")
    if init is not None and _has_session(init):
        return True
    makers = made_in(project, kind)
    return bool(makers) and all(
        session_parameters(each) and is_async(each) and not SETS_UP.match(each.name)
        for each in makers
    )


def _has_session(func: Func) -> bool:
    return bool(session_parameters(func)) or any(
        name == "session" for name, _ in func.fact.parameters
    )


def definition(project: Project, func: Func, path: str) -> Place | None:
    """
    Return where what *path* means in *func* is made.
    """
    kind = project.type_of(func) if path.startswith("self.") else None
    several = [each for one in project.lineage(kind) for each in _within(one)] if kind else []
    made = (
        event
        for fact in several or func.module.facts.functions
        if (path, "=") in fact.touches
        for event in flattened(fact.block())
        if event[1] == path and event[2] == "="
    )
    first = next(made, None)
    return project.place(func.module, first[3], first[4]) if first is not None else None


def _within(kind: Type) -> list[Function]:
    prefix = kind.fact.qualname
    return [each for each in kind.module.facts.functions if each.cls == prefix]


def made_in(project: Project, kind: Type) -> list[Func]:
    """
    Return the functions that make an instance of a class.
    """
    name = kind.name
    several = len(project.types[name]) > 1
    return [
        each
        for each in project.callers.get(name, ())
        if each.fact.qualname != kind.fact.qualname
        and any(called(event) == name for event in flattened(each.fact.block()))
        and not (several and project.find_type(each.module, name) is not kind)
    ]


def single(project: Project, kind: Type) -> bool:
    """
    Tell whether a class is made only where the program is set up.
    """
    makers = made_in(project, kind)
    return bool(makers) and all(
        each.fact.qualname == MODULE
        or (SETS_UP.match(each.name) and not _has_session(each))
        or any("cache" in text for text in each.fact.decorators)
        for each in makers
    )


def variables(func: Func) -> str:
    """
    Return how the path of a variable of *func* begins, as an inner function sees it.
    """
    return f"^{func.fact.qualname.replace('.', '/')}>"


def is_async(func: Func) -> bool:
    """
    Tell whether *func* is a coroutine function.
    """
    return bool(func.fact.flags & ASYNC)


def is_script(module: Module) -> bool:
    """
    Tell whether *module* is run by somebody who looks on.
    """
    return bool(SCRIPT.search(module.path) or COMMAND_LINE & set(module.facts.imports))


def origin(module: Module, path: str) -> str:
    """
    Return what the head of *path* was imported as, dotted, with the rest of the path.
    """
    head, _, rest = path.lstrip("@%").partition(".")
    found = module.facts.imports.get(head, "").replace(":", ".")
    return f"{found or head}.{rest}" if rest else found or head


def shown(func: Func, path: str) -> str:
    """
    Return *path* as a reader writes it.
    """
    if path.startswith("self."):
        return f"{func.fact.cls.rpartition('.')[2]}{path[4:]}"
    return path.rpartition(">")[2].lstrip("@$%^").replace(".*", "[]").replace(".[", "[")


def mentions(event: Event, paths: Iterable[str]) -> bool:
    """
    Tell whether *event* is given one of *paths*, by position or by name.
    """
    wanted = set(paths)
    given: tuple[Any, ...] = event[6]
    return any(each in wanted or each.partition("=")[2] in wanted for each in given)


def target_of(events: tuple[Event, ...], index: int) -> tuple[str, Event] | None:
    """
    Return the path that the result of the call at *index* is bound to, with the event that does so.
    """
    name = called(events[index])
    for event in events[index + 1 :]:
        if event[0] != OP:
            continue
        if event[2] in {"let", "="}:
            return event[1], event
        if event[2] in {"[]=", "add", "append", "setdefault", "insert", "put_nowait"} and (
            f"{name}()" in event[7] or any(f"{name}()" in each for each in event[6])
        ):
            return event[1], event
    return None
