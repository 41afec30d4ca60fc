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
from sessionstate.audit._keys import Domain, Keys
from sessionstate.audit._lowering import IF, LOOP, RAISE, RETURN, TRY, WITH
from sessionstate.audit._owners import ROUTE, Lifetime, Owners
from sessionstate.audit._project import GENERIC, Func, Module, Project
from sessionstate.audit._vocabulary import BORROWS, BOUNDED, GROW, SHRINK

STARTS: Final = re.compile(
    r"^_*(main|setup|set_up|create_app|make_app|build_app|lifespan|configure|init_app|load_\w+|register_all)$"
)

OPENS: Final = re.compile(r"^_*(start(_all|up|_workers)?|__aenter__|on_startup|launch|boot|setup)$")
FULL: Final = re.compile(r"(?i)\blen\b.*(max|limit|cap)|(max|limit|cap)\w*.*\blen\b")
BLOCKS: Final = frozenset({IF, LOOP, TRY, WITH})
DEEPEST: Final = 3

REGISTRY: Final = re.compile(
    r"^_*(register|add_(route|handler|command|tool|plugin|hook|middleware|type|class|converter|filter"
    r"|extension|resource|prompt|mime|codec|provider|option|argument|parser|url|rule|blueprint|model)"
    r"|include|mount|install|provide|declare|define|load_|import_|configure|__init_subclass__|__set_name__"
    r"|discover|use$|wrap|decorat|__new__|__class_getitem__|init_|setup|set_up)"
)

MANY: Final = 12

COMMAND_LINE: Final = frozenset({"argparse", "click", "typer", "fire", "docopt", "optparse", "sys"})

SERVERS: Final = frozenset(
    {
        *(
            "fastapi",
            "flask",
            "starlette",
            "aiohttp",
            "tornado",
            "sanic",
            "quart",
            "django",
            "bottle",
        ),
        *(
            "socketserver",
            "http",
            "websockets",
            "socketio",
            "uvicorn",
            "asyncio",
            "threading",
            "grpc",
        ),
        *("discord", "telegram", "slack_bolt", "pika", "kafka", "zmq", "twisted", "gevent", "trio"),
    }
)


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
        waiting += [
            inner
            for part in statement[2:]
            if isinstance(part, tuple)
            for inner in part
            if isinstance(inner, tuple) and inner and inner[0] in BLOCKS
        ]


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
        if kept.kind == "deque(maxlen)":
            return "it has a maxlen"
        if BOUNDED.search(kept.kind):
            return f"a {kept.kind} empties itself"
        if kept.module.is_test:
            return "it is part of a test"
        if self._is_script(kept.module):
            return "it is part of a script that runs once"
        if self._known_keys(kept):
            return "its keys are those of a table"
        if not any(True for _ in kept.writes()):
            return "nothing is put in"
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

    def _known_keys(self, kept: Kept) -> bool:
        """
        Tell whether each key was looked up in a table that does not grow before it is written.
        """
        writes = list(kept.writes())
        return bool(writes) and all(self._looked_up(kept, op) for op in writes)

    def _looked_up(self, kept: Kept, op: Op) -> bool:
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
            if (
                several
                and not inner
                and several[0] is not kept
                and self._is_table(several[0])
            ):
                return True
        return False

    def _starts_once(self, op: Op) -> bool:
        """
        Tell whether a task is kept that is started once, with its owner.
        """
        started = "create_task" in op.key or "ensure_future" in op.key
        return started and bool(OPENS.match(op.func.name)) and not self._takes_session(op.func)

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
            for frame in op.frames:
                if (
                    frame.kind == TEST
                    and kept.attribute in frame.text
                    and FULL.search(frame.text)
                ):
                    return True
            if any(FULL.search(about) and kept.attribute in about for about in refusals(op.func)):
                return True
        return False

    def growing(self, kept: Kept) -> list[Op]:
        """
        Return the writes that may put in ever more.
        """
        found = self._growing_at(kept, kept.writes())
        if not found and any(True for _ in kept.writes()):
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
        found = []
        for op in writes:
            if op.func.fact.qualname == MODULE or op.func.module.is_test:
                continue
            if op.func.fact.qualname == op.func.fact.cls:
                continue
            if op.func.name in {"__init__", "__post_init__", "__new__"} and kept.scope == ATTRIBUTE:
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
        found = self._domain_here(kept, op)
        if found is Domain.SESSION or op.key[:2] != "p:":
            return found
        given = self._given(op)
        if given is not None:
            return given
        if found is Domain.UNKNOWN and any(ROUTE.search(f".{d}") for d in op.func.fact.decorators):
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
        if re.search(r"create_task|ensure_future", op.key):
            return Domain.SESSION
        if op.name == "[]=" or op.name in {"setdefault", "[]"}:
            return self._keys.domain(op.key)
        if kept.kind == "list" and op.name in {"append", "insert", "extend", "+=[]", "appendleft"}:
            found = self._keys.domain(op.key)
            if op.name == "append" and found is Domain.BOUNDED and op.key.startswith(("c:", "t:")):
                return Domain.UNKNOWN
            return found
        return self._keys.domain(op.key)

    def _at_import(self, func: Func, depth: int = 0, *, certain: bool = False) -> bool:
        """
        Tell whether *func* runs while the program starts, and not later.

        Where a key speaks against it, only what is *certain* counts: it is called by modules.
        """
        name = func.name
        if func.fact.flags & ASYNC:
            return False
        if name in {"__init_subclass__", "__set_name__", "__class_getitem__"}:
            return True
        sites = [site for site in self._calls.sites(func) if not site.func.module.is_test]
        if not sites:
            if self._takes_session(func):
                return False
            outer = func.fact.qualname.rpartition(".")[0]
            if outer and outer != func.fact.cls and depth < DEEPEST:
                around = [
                    f
                    for f in self._project.named[outer.rpartition(".")[2]]
                    if f.module is func.module
                ]
                return any(
                    self._at_import(f, depth + 1, certain=certain)
                    for f in around
                    if f.fact.qualname == outer
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
            if op.name in BORROWS or op.name in {"return", "=", "[]="} or op.name in GROW:
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
