"""
What puts ever more into a container: not what is bounded by its keys, or runs only at the start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from sessionstate.audit._calling import Calls
from sessionstate.audit._conditions import text_of
from sessionstate.audit._containers import ATTRIBUTE, REMOVES, Containers, Kept, Op
from sessionstate.audit._contexts import AROUND, TEST
from sessionstate.audit._facts import ASYNC, MODULE
from sessionstate.audit._flow import BLOCKS
from sessionstate.audit._keys import Domain, Keys
from sessionstate.audit._lowering import IF, RAISE, RETURN
from sessionstate.audit._owners import Lifetime, Owners, is_routed
from sessionstate.audit._project import GENERIC, Func, Module, Project
from sessionstate.audit._vocabulary import BORROWS, GROW, SHRINK

STARTS: Final = re.compile(
    r"^_*(main|setup|set_up|create_app|make_app|build_app|lifespan|configure|init_app|load_\w+"
    r"|register_all)$"
)
"""Functions that run once, before anybody connects."""
OPENS: Final = re.compile(r"^_*(start(_all|up|_workers)?|__aenter__|on_startup|launch|boot|setup)$")
"""Functions that begin what its owner runs."""
REGISTRY: Final = re.compile(
    r"^_*(register|add_(route|handler|command|tool|plugin|hook|middleware|type|class|converter"
    r"|filter|extension|resource|prompt|mime|codec|provider|option|argument|parser|url|rule"
    r"|blueprint|model)|include|mount|install|provide|declare|define|load_|import_|configure"
    r"|__init_subclass__|__set_name__|discover|use$|wrap|decorat|__new__|__class_getitem__|init_"
    r"|setup|set_up)"
)
"""Functions that are told what there is, constructors among them: that is as much as is written."""
FULL: Final = re.compile(r"(?i)\blen\b.*(max|limit|cap)|(max|limit|cap)\w*.*\blen\b")
"""The names in a test of whether a container is full."""
STARTED: Final = re.compile(r"create_task|ensure_future")
"""What a key is that is a task."""
CREATED: Final = frozenset({"__init_subclass__", "__set_name__", "__class_getitem__"})
"""Methods that run as a class is made."""
CONSTRUCTORS: Final = frozenset({"__init__", "__post_init__", "__new__"})
MOVED: Final = frozenset({"return", "=", "[]="})
"""How a container is passed on under another name, which is followed elsewhere."""
DEEPEST: Final = 3
"""How many callers up it is asked whether all of them run at the start."""
MANY: Final = 12
"""Callers of a function that is called by whoever likes to."""
COMMAND_LINE: Final = frozenset({"argparse", "click", "typer", "fire", "docopt", "optparse", "sys"})
"""Modules of which a program for the command line imports one."""
SERVERS: Final = frozenset(
    {
        *("fastapi", "flask", "starlette", "aiohttp", "tornado", "sanic", "quart", "django"),
        *("bottle", "socketserver", "http", "websockets", "socketio", "uvicorn", "asyncio"),
        *("threading", "grpc", "discord", "telegram", "slack_bolt", "pika", "kafka", "zmq"),
        *("twisted", "gevent", "trio"),
    }
)
"""Modules of which a program that serves imports one."""


def refusals(func: Func) -> Iterator[str]:
    """
    Yield the names in each test of *func* after which it is left.
    """
    waiting = list(func.fact.block())
    while waiting:
        statement = waiting.pop()
        if statement[0] == IF:
            then = statement[5]
            if then and then[-1][0] in {RETURN, RAISE}:
                yield statement[4]
        for i in BLOCKS.get(statement[0], ()):
            waiting += statement[i]


class Growth:
    """
    Tells which writes make a container grow for as long as the program runs.
    """

    def __init__(
        self, project: Project, containers: Containers, calls: Calls, owners: Owners, keys: Keys
    ) -> None:
        self._project = project
        self._containers = containers
        self._calls = calls
        self._owners = owners
        self._keys = keys
        self._scripts: dict[int, bool] = {}
        self._tables: dict[int, bool] = {}

    def bounded(self, kept: Kept) -> str:
        """
        Tell why *kept* does not grow, whatever is put in; empty if it may.
        """
        if kept.kind == "deque(maxlen)":
            return "it has a maxlen"
        if kept.module.is_test:
            return "it is part of a test"
        if self._is_script(kept.module):
            return "it is part of a script that runs once"
        writes = list(kept.writes())
        if not writes:
            return "nothing is put in"
        if all(self._looked_up(kept, op) for op in writes):
            return "its keys are those of a table"
        if self._capped(kept):
            return "its size is limited"
        return ""

    def _is_script(self, module: Module) -> bool:
        """
        Tell whether *module* is a program for the command line that does its work and ends.
        """
        known = self._scripts.get(id(module))
        if known is None:
            facts = module.facts
            roots = {
                target.partition(":")[0].partition(".")[0] for target in facts.imports.values()
            }
            block = facts.functions[0].block()
            guarded = any(each[0] == IF and each[4] == "__name__" for each in block)
            known = guarded and bool(roots & COMMAND_LINE) and not roots & SERVERS
            known = known and not any(f.flags & ASYNC for f in facts.functions)
            self._scripts[id(module)] = known
        return known

    def _looked_up(self, kept: Kept, op: Op) -> bool:
        """
        Tell whether a key was looked up in a table that does not grow before it is written.
        """
        text = text_of(op.key)
        if not text or op.func.fact.qualname == MODULE:
            return False
        for seen in self._calls.events(op.func):
            _, path, name, line, _, key, _, _ = seen.event
            if line > op.line or name not in {"in", "[]"} or text_of(key) != text:
                continue
            several, inner = self._containers.resolve(op.func, path)
            if not several and path.rpartition(".")[2].lstrip("@").isupper():
                return True
            table = several[0] if several and not inner else kept
            if table is not kept and self._is_table(table):
                return True
        return False

    def _starts_once(self, op: Op) -> bool:
        """
        Tell whether a task is kept that is started once, with its owner.
        """
        started = STARTED.search(op.key) and OPENS.match(op.func.name)
        return bool(started) and not self._takes_session(op.func)

    def _is_table(self, kept: Kept) -> bool:
        """
        Tell whether a container is filled at the start, and not later.
        """
        known = self._tables.get(id(kept))
        if known is None:
            self._tables[id(kept)] = False  # while it is being asked
            known = self._tables[id(kept)] = not self._growing_at(kept, kept.writes())
        return known

    def _capped(self, kept: Kept) -> bool:
        """
        Tell whether a write is refused when it is full.
        """
        for op in kept.writes():
            tests = [frame.text for frame in op.frames if frame.kind == TEST]
            tests += refusals(op.func)
            if any(FULL.search(about) and kept.attribute in about for about in tests):
                return True
        return False

    def growing(self, kept: Kept) -> list[Op]:
        """
        Return the writes that may put in ever more.
        """
        found = self._growing_at(kept, kept.writes())
        if not found:
            # `sessions[app][user_id]`: the outer keys are few, the inner ones are not.
            inner = [
                op
                for op in kept.ops
                if op.inner
                and op.name in {"[]=", "setdefault"}
                and self._keys.domain(op.key) is Domain.SESSION
            ]
            if not any(op.inner and op.name in REMOVES for op in kept.ops):
                found = self._growing_at(kept, inner)
        return found

    def _growing_at(self, kept: Kept, writes: Iterable[Op]) -> list[Op]:
        found: list[Op] = []
        for op in writes:
            if op.func.fact.qualname in {MODULE, op.func.fact.cls} or op.func.module.is_test:
                continue
            if op.func.name in CONSTRUCTORS and kept.scope == ATTRIBUTE:
                own = self._project.type_of(op.func)
                shared = self._owners.is_shared(kept)
                if own is kept.owner and op.event[1].startswith("self.") and not shared:
                    continue
            if self._starts_once(op):
                continue
            domain = self.domain(kept, op)
            if domain is Domain.BOUNDED or self._at_import(
                op.func, certain=domain is Domain.SESSION
            ):
                continue
            found.append(op)
        return found

    def domain(self, kept: Kept, op: Op) -> Domain:
        """
        Return how many values the key of a write takes.
        """
        found = self._domain_here(kept, op)
        if found is Domain.SESSION or op.key[:2] != "p:":
            return found
        given = self._given(op)
        if given is not None:
            return given
        if found is Domain.UNKNOWN and is_routed(op.func):
            return Domain.LIKELY  # whoever makes the request chooses it
        return found

    def _given(self, op: Op) -> Domain | None:
        """
        Return the domain of what callers give for a key that is the first argument.
        """
        first = [name for name, _ in op.func.fact.parameters if name not in {"self", "cls"}][:1]
        if first != [text_of(op.key)] or op.func.name in GENERIC:
            return None
        sites = [
            s for s in self._calls.sites(op.func) if not s.func.module.is_test and not s.handed
        ]
        if not sites or len(sites) > MANY:
            return None
        domains = [self._keys.domain(site.event[5]) for site in sites]
        strongest = max(domains)
        return None if strongest is Domain.UNKNOWN else strongest

    def _domain_here(self, kept: Kept, op: Op) -> Domain:
        if STARTED.search(op.key):
            return Domain.SESSION
        found = self._keys.domain(op.key)
        # A list keeps what is equal each time: `history.append((1, text))`.
        repeats = kept.kind == "list" and op.name == "append" and op.key.startswith(("c:", "t:"))
        return Domain.UNKNOWN if repeats and found is Domain.BOUNDED else found

    def _at_import(self, func: Func, depth: int = 0, *, certain: bool = False) -> bool:
        """
        Tell whether *func* runs while the program starts, and not later.

        Where a key speaks against it, only what is *certain* counts: it is called by modules.
        """
        name = func.name
        if func.fact.flags & ASYNC:
            return False
        if name in CREATED:
            return True
        sites = [site for site in self._calls.sites(func) if not site.func.module.is_test]
        if not sites:
            if self._takes_session(func):
                return False
            outer = func.fact.qualname.rpartition(".")[0]
            if outer and outer != func.fact.cls and depth < DEEPEST:
                return any(
                    self._at_import(f, depth + 1, certain=certain)
                    for f in self._project.named[outer.rpartition(".")[2]]
                    if f.module is func.module and f.fact.qualname == outer
                )
            return bool(REGISTRY.match(name)) and not certain
        if depth > DEEPEST:
            return False
        return all(
            not site.handed
            and not any(frame.kind == AROUND for frame in site.frames)
            and (
                site.func.fact.qualname in {MODULE, site.func.fact.cls}
                or (
                    not certain
                    and (
                        (STARTS.match(site.func.name) and not self._takes_session(site.func))
                        or (site.func.name == "__init__" and self._single(site.func))
                    )
                )
                or self._at_import(site.func, depth + 1, certain=certain)
            )
            for site in sites
        )

    def _takes_session(self, func: Func) -> bool:
        """
        Tell whether an argument of *func* comes with a session.
        """
        return any(
            self._keys.domain(f"p:{p}|{a}") is Domain.SESSION for p, a in func.fact.parameters
        )

    def _single(self, func: Func) -> bool:
        own = self._project.type_of(func)
        return own is not None and self._owners.of_type(own) >= Lifetime.LIKELY

    def unknown_user(self, kept: Kept) -> str:
        """
        Tell where it goes, if something unknown gets hold of the container itself.
        """
        for op in kept.escapes:
            if op.name in BORROWS or op.name in MOVED or op.name in GROW:
                continue
            if op.name == "()":
                called = op.event[1].rpartition(".")[2].lstrip("@")
                if called[:1].isupper() and self._instances_empty(called):
                    return f"a {called} empties it"
                if called in BORROWS or called[:1].isupper():
                    continue
                if any(t.name == called for t in self._project.named.get(called, ())):
                    if self._empties_argument(called):
                        return f"{called}() empties it"
                    continue
                return f"it is handed to {called}()"
            if self._empties_argument(op.name):
                return f"{op.name}() empties it"
        return ""

    def _instances_empty(self, name: str) -> bool:
        """
        Tell whether a class of ours takes out of what it was given.
        """
        return any(
            how in SHRINK and path.startswith("self.")
            for kind in self._project.types.get(name, ())
            for method in kind.methods.values()
            for path, how in method.fact.touches
        )

    def _empties_argument(self, name: str) -> bool:
        for func in self._project.named.get(name, ()):
            parameters = {f"${p}" for p, _ in func.fact.parameters} | {
                f"%{a}" for _, a in func.fact.parameters
            }
            if any(path in parameters and how in SHRINK for path, how in func.fact.touches):
                return True
        return False
