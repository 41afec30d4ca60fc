"""
The verdict on one container.

Nothing is reported of a container that is bounded: by what it is, by its keys, by its owner. Of the
others the best removal counts. How sure a finding is follows from points: where keys come from, how
long the owner lives, whether a twin is emptied, where it is written.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from sessionstate.audit._assurance import SUBCODE, Assurance, Judgement, Rank
from sessionstate.audit._calling import Calls
from sessionstate.audit._containers import ATTRIBUTE, CLOSURE, GLOBAL, REMOVES, STATE, Containers, Kept, Op
from sessionstate.audit._contexts import AROUND, TEST
from sessionstate.audit._facts import ASYNC, MODULE
from sessionstate.audit._findings import Confidence, Place, Severity
from sessionstate.audit._keys import Domain, Keys
from sessionstate.audit._owners import FACTORY, ROUTE, Lifetime, Owners
from sessionstate.audit._project import Func, Module, Project
from sessionstate.audit._vocabulary import BORROWS, BOUNDED, GROW, LOCK, SEEN

STARTS: Final = re.compile(
    r"^_*(main|setup|set_up|create_app|make_app|build_app|lifespan|configure|init_app|load_\w+|register_all)$"
)
DEEPEST: Final = 3
HIGH: Final = 7.0
MEDIUM: Final = 5.0
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
        *("fastapi", "flask", "starlette", "aiohttp", "tornado", "sanic", "quart", "django", "bottle"),
        *("socketserver", "http", "websockets", "socketio", "uvicorn", "asyncio", "threading", "grpc"),
        *("discord", "telegram", "slack_bolt", "pika", "kafka", "zmq", "twisted", "gevent", "trio"),
    }
)


class Outcome(NamedTuple):
    """
    What was decided of a container.
    """

    kept: Kept
    code: str
    """Empty if it is clean."""
    reason: str
    severity: Severity = Severity.INFO
    confidence: Confidence = Confidence.LOW
    judgement: Judgement | None = None
    writes: tuple[Op, ...] = ()
    twin: str = ""

    @property
    def place(self) -> Place:
        """
        Where the container is made.
        """
        kept = self.kept
        return Place(kept.module.path, kept.line, kept.column)


class Judge:
    """
    Decides of each container of a project.
    """

    def __init__(self, project: Project, keys: Keys) -> None:
        self.project = project
        self.containers = Containers(project)
        self.calls = Calls(project, self.containers)
        self.owners = Owners(project, self.containers, self.calls, keys)
        self.keys = keys
        self._scripts: dict[int, bool] = {}
        self._emptied: defaultdict[int, list[str]] = defaultdict(list)
        """By function, the containers from which it takes an entry."""

    def outcomes(self) -> list[Outcome]:
        """
        Return what is decided of each container.
        """
        every = [*self.containers.all, *self.containers.closures()]
        for kept in every:
            for op in kept.removals():
                if op.name in {"pop", "del[]", "discard", "remove"} and not op.via:
                    self._emptied[id(op.func)].append(kept.attribute)
        return [self.of(kept) for kept in every]

    def of(self, kept: Kept) -> Outcome:
        """
        Return what is decided of *kept*.
        """
        clean = self._bounded(kept)
        if clean:
            return Outcome(kept, "", clean)
        writes = tuple(self._growing(kept))
        if not writes:
            return Outcome(kept, "", "what is put in is bounded")
        lifetime = self.owners.lifetime(kept)
        if lifetime is Lifetime.SHORT:
            return Outcome(kept, "", "its owner does not live long")
        best = Assurance(kept, self.calls).best()
        if best is not None and best.why == CAPPED and REPLAY.search(kept.attribute) and self._strong(kept, writes):
            return Outcome(kept, "SS007", "its size alone is limited", Severity.INFO, Confidence.MEDIUM, best, writes)
        if best is not None and best.rank <= Rank.CALLED:
            return Outcome(kept, "", best.why)
        unknown = self._unknown_user(kept)
        if best is None and unknown:
            return Outcome(kept, "", unknown)
        return self._found(kept, writes, lifetime, best)

    def _strong(self, kept: Kept, writes: tuple[Op, ...]) -> bool:
        return any(self._domain(kept, op) is Domain.SESSION for op in writes)

    def _bounded(self, kept: Kept) -> str:
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
            roots = {target.partition(":")[0].partition(".")[0] for target in facts.imports.values()}
            guarded = b"__main__" in facts.functions[0].code
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
        text = _text(op.key)
        if not text or op.func.fact.qualname == MODULE:
            return False
        for seen in self.calls.events(op.func):
            _, path, name, line, _, key, _, _ = seen.event
            if line > op.line or name not in {"in", "[]"} or _text(key) != text:
                continue
            if path.rpartition(".")[2].lstrip("@").isupper():
                return True
            several, inner = self.containers.resolve(op.func, path)
            if several and not inner and several[0] is not kept and not any(
                each.func.fact.qualname != MODULE and each.func.name != "__init__"
                for each in several[0].writes()
            ):
                return True
        return False

    def _capped(self, kept: Kept) -> bool:
        """
        Tell whether a write is refused when it is full.
        """
        for op in kept.writes():
            for frame in op.frames:
                if frame.kind == TEST and kept.attribute in frame.text and re.search(
                    r"(?i)\blen\b.*(max|limit|cap)|(max|limit|cap)\w*.*\blen\b", frame.text
                ):
                    return True
        return False

    def _growing(self, kept: Kept) -> list[Op]:
        """
        Return the writes that may put in ever more.
        """
        found = self._growing_at(kept, kept.writes())
        if not found and any(True for _ in kept.writes()):
            # `sessions[app][user_id]`: the outer keys are few, the inner ones are not.
            inner = [
                op
                for op in kept.ops
                if op.inner and op.name in {"[]=", "setdefault"} and self.keys.domain(op.key) is Domain.SESSION
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
                own = self.project.type_of(op.func)
                if own is kept.owner and op.event[1].startswith("self."):
                    continue
            domain = self._domain(kept, op)
            if domain is Domain.BOUNDED or self._at_import(op.func, certain=domain is Domain.SESSION):
                continue
            found.append(op)
        return found

    def _domain(self, kept: Kept, op: Op) -> Domain:
        found = self._domain_here(kept, op)
        if found is Domain.SESSION or op.key[:2] != "p:":
            return found
        given = self._given(op)
        return found if given is None else given

    def _given(self, op: Op) -> Domain | None:
        """
        Return the domain of what callers give for a key that is the first argument.
        """
        first = [name for name, _ in op.func.fact.parameters if name not in {"self", "cls"}][:1]
        if first != [_text(op.key)]:
            return None
        sites = [s for s in self.calls.sites(op.func) if not s.func.module.is_test and not s.handed]
        if not sites or len(sites) > MANY:
            return None
        domains = [self.keys.domain(site.event[5]) for site in sites]
        strongest = max(domains)
        return None if strongest is Domain.UNKNOWN else strongest

    def _domain_here(self, kept: Kept, op: Op) -> Domain:
        if re.search(r"create_task|ensure_future", op.key):
            return Domain.SESSION
        if op.name == "[]=" or op.name in {"setdefault", "[]"}:
            return self.keys.domain(op.key)
        if kept.kind == "list" and op.name in {"append", "insert", "extend", "+=[]", "appendleft"}:
            found = self.keys.domain(op.key)
            if op.name == "append" and found is Domain.BOUNDED and op.key.startswith(("c:", "t:")):
                return Domain.UNKNOWN
            return found
        return self.keys.domain(op.key)

    def _at_import(self, func: Func, depth: int = 0, *, certain: bool = False) -> bool:
        """
        Tell whether *func* runs while the program starts, and not later.

        Where a key speaks against it, only what is *certain* counts: it is called by modules.
        """
        name = func.name
        if name in {"__init_subclass__", "__set_name__", "__class_getitem__"}:
            return True
        sites = [site for site in self.calls.sites(func) if not site.func.module.is_test]
        if not sites:
            if func.fact.flags & ASYNC or self._takes_session(func):
                return False
            outer = func.fact.qualname.rpartition(".")[0]
            if outer and outer != func.fact.cls and depth < DEEPEST:
                around = [f for f in self.project.named[outer.rpartition(".")[2]] if f.module is func.module]
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
        return any(self.keys.domain(f"p:{p}|{a}") is Domain.SESSION for p, a in func.fact.parameters)

    def _single(self, func: Func) -> bool:
        own = self.project.type_of(func)
        return own is not None and self.owners.of_type(own) >= Lifetime.LIKELY

    def _unknown_user(self, kept: Kept) -> str:
        """
        Tell where it goes, if something unknown gets hold of the container itself.
        """
        for op in kept.escapes:
            if op.name in BORROWS or op.name in {"return", "=", "[]="} or op.name in GROW:
                continue
            if op.name == "()":
                called = op.event[1].rpartition(".")[2].lstrip("@")
                if called in BORROWS or called[:1].isupper():
                    continue
                if any(t.name == called for t in self.project.named.get(called, ())):
                    if self._empties_argument(called):
                        return f"{called}() empties it"
                    continue
                return f"it is handed to {called}()"
            if self._empties_argument(op.name):
                return f"{op.name}() empties it"
        return ""

    def _empties_argument(self, name: str) -> bool:
        from sessionstate.audit._vocabulary import SHRINK

        for func in self.project.named.get(name, ()):
            parameters = {f"${p}" for p, _ in func.fact.parameters} | {f"%{a}" for _, a in func.fact.parameters}
            if any(path in parameters and how in SHRINK for path, how in func.fact.touches):
                return True
        return False

    def _found(
        self, kept: Kept, writes: tuple[Op, ...], lifetime: Lifetime, best: Judgement | None
    ) -> Outcome:
        code = SUBCODE[best.rank] if best is not None else "SS001"
        domain = max(self._domain(kept, op) for op in writes)
        inner = any(op.inner and op.name in {"discard", "remove", "pop", "del[]", "clear"} for op in kept.ops)
        twin = self._twin(kept, writes)
        score = self._score(kept, writes, lifetime, domain) + (2.0 if twin else 0.0)
        if code == "SS001" and inner and self._holds_collections(kept):
            code = "SS002f"
        if code == "SS001":
            code = self._special(kept, writes)
        severity = Severity.ERROR if code in {"SS001", "SS007"} else Severity.WARNING
        if best is not None:
            score += BONUS.get(best.rank, 0.0)
        confidence = (
            Confidence.HIGH if score >= HIGH else Confidence.MEDIUM if score >= MEDIUM else Confidence.LOW
        )
        reason = best.why if best is not None else "nothing is ever removed"
        return Outcome(kept, code, reason, severity, confidence, best, writes, twin)

    def _holds_collections(self, kept: Kept) -> bool:
        if kept.kind in {"defaultdict(set)", "defaultdict(list)", "defaultdict(dict)", "defaultdict"}:
            return True
        made = {"=set", "=list", "=dict", "=deque", "set()", "list()", "dict()"}
        return any(op.event[7] in made or op.event[7].startswith("=") for op in kept.writes())

    def _special(self, kept: Kept, writes: tuple[Op, ...]) -> str:
        values = " ".join(str(op.event[7]) for op in writes)
        if re.search(r"create_task|ensure_future|start_soon|submit\(\)", values):
            return "SS006"
        if LOCK.search(values) or LOCK.search(f".{kept.kind[12:-1]}" if kept.creates else ""):
            return "SS009"
        if SEEN.search(kept.attribute) and not re.search(r"(?i)rating|generat|iterat|operat|separat|integrat", kept.attribute):
            return "SS007"
        if kept.kind in {"dict", "OrderedDict"} and self._compares_time(kept):
            return "SS010"
        return "SS001"

    def _compares_time(self, kept: Kept) -> bool:
        return any(
            op.name in {"get", "[]"} and self._timed_test(op) for op in kept.ops if not op.inner
        )

    def _timed_test(self, op: Op) -> bool:
        events = self.calls.events(op.func)
        names = " ".join(
            frame.text for seen in events for frame in seen.frames if frame.kind == TEST
        )
        return bool(re.search(r"(?i)expir|ttl|max_age|monotonic|deadline", names))

    def _twin(self, kept: Kept, writes: tuple[Op, ...]) -> str:
        """
        Return a container that is written beside this one, and emptied elsewhere by a function that
        does not empty this one.
        """
        mine = {id(op.func) for op in writes}
        own_removers = {id(op.func) for op in kept.removals()}
        siblings = [
            other
            for other in self.containers.all
            if other is not kept
            and other.module is kept.module
            and other.owner is kept.owner
            and any(id(op.func) in mine for op in other.writes())
        ]
        mine_text = {_text(op.key) for op in writes} - {""}
        for other in self.containers.all:
            if other is kept or other.owner is not kept.owner or other.module is not kept.module:
                continue
            if any(
                op.name in {"pop", "del[]"} and _text(op.key) in mine_text and id(op.func) not in own_removers
                for op in other.removals()
            ):
                return other.attribute
        for other in siblings:
            removers = [
                op for op in other.removals() if op.name in {"pop", "del[]", "discard", "remove"}
            ]
            if removers and not any(id(op.func) in own_removers for op in removers):
                return other.attribute
        return ""

    def _score(
        self, kept: Kept, writes: tuple[Op, ...], lifetime: Lifetime, domain: Domain
    ) -> float:
        score = {Domain.SESSION: 3.0, Domain.LIKELY: 2.0, Domain.UNKNOWN: 0.5}.get(domain, 0.0)
        score += {Lifetime.LONG: 2.5, Lifetime.LIKELY: 2.0, Lifetime.UNKNOWN: 1.5}.get(lifetime, 0.0)
        if kept.scope in {GLOBAL, STATE}:
            score += 0.5
        if kept.scope == CLOSURE:
            score -= 0.5
        if kept.kind == "list":
            score -= 1.0
        if domain is not Domain.SESSION and re.search(
            r"(?i)warn|shown|emitted|logged|deprecat|notice|log_|already_", kept.attribute
        ):
            score -= 3.0
        if any(self._serves(op.func) for op in writes):
            score += 1.0
        if all(REGISTRY.match(op.func.name) for op in writes):
            score -= 2.0
        if re.search(r"(?i)(cache|memo|registry|loaded|compiled|templates?|config|schema|types?|handlers?|hooks?|factories|converters|commands|tools|plugins|providers|routes)s?$", kept.attribute):
            score -= 1.0
        if re.search(r"(?i)(session|conn|client|user|socket|agent|lock|task|room|peer|thread|conversation|stream|queue|pending|waiter|future|job|request)", kept.attribute):
            score += 0.5
        return score

    def _serves(self, func: Func) -> bool:
        """
        Tell whether *func* runs for a request.
        """
        if func.fact.flags & ASYNC or any(ROUTE.search(f".{d}") for d in func.fact.decorators):
            return True
        return any(
            site.func.fact.flags & ASYNC or any(ROUTE.search(f".{d}") for d in site.func.fact.decorators)
            for site in self.calls.sites(func)
        )


def _text(key: str) -> str:
    return key.partition(":")[2].partition("<")[0].partition("|")[0]


CAPPED: Final = "its size is limited"
REPLAY: Final = re.compile(r"(?i)seen|replay|nonce|signature|idempot|processed|delivered|dedup")
BONUS: Final = {
    Rank.CANCELLED: -2.0,
    Rank.LATE: -0.5,
    Rank.STRAIGHT: 0.5,
    Rank.GUARDED: -0.5,
    Rank.ONE_EXCEPT: 1.0,
    Rank.EVENT: -0.5,
    Rank.COMMAND: -0.5,
    Rank.ON_READ: 0.0,
    Rank.DEAD: 0.0,
    Rank.SHUTDOWN: 0.0,
}

__all__ = ["FACTORY", "Judge", "Outcome"]
