"""
The verdict on one container.

Nothing is reported of a container that is bounded: by what it is, by its keys, by its owner. Of the
others the best removal counts. How sure a finding is follows from points: where keys come from, how
long the owner lives, whether a twin is emptied, where it is written.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sessionstate.audit._assurance import Assurance
from sessionstate.audit._calling import Calls
from sessionstate.audit._conditions import text_of
from sessionstate.audit._containers import CLOSURE, GLOBAL, STATE, Containers, Kept, Op
from sessionstate.audit._contexts import AROUND, TEST
from sessionstate.audit._facts import ASYNC
from sessionstate.audit._findings import Confidence, Place, Severity
from sessionstate.audit._growth import REGISTRY, Growth
from sessionstate.audit._keys import Domain, Keys
from sessionstate.audit._owners import ROUTE, Lifetime, Owners
from sessionstate.audit._project import Func, Project
from sessionstate.audit._ranks import SUBCODE, Judgement, Rank
from sessionstate.audit._vocabulary import LOCK, SEEN

HIGH: Final = 7.0

MEDIUM: Final = 5.0

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
    Rank.ASKED: -2.0,
    Rank.ON_READ: 0.0,
    Rank.DEAD: 0.0,
    Rank.SHUTDOWN: 0.0,
}


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
        self.growth = Growth(project, self.containers, self.calls, self.owners, keys)

    def outcomes(self) -> list[Outcome]:
        """
        Return what is decided of each container.
        """
        return [self.of(kept) for kept in (*self.containers.all, *self.containers.closures())]

    def of(self, kept: Kept) -> Outcome:
        """
        Return what is decided of *kept*.
        """
        clean = self.growth.bounded(kept)
        if clean:
            return Outcome(kept, "", clean)
        writes = tuple(self.growth.growing(kept))
        if not writes:
            return Outcome(kept, "", "what is put in is bounded")
        lifetime = self.owners.lifetime(kept)
        if lifetime is Lifetime.SHORT:
            return Outcome(kept, "", "its owner does not live long")
        best = Assurance(kept, self.calls).best()
        if (
            best is not None
            and best.why == CAPPED
            and all(map(_is_counted, kept.removals()))
            and REPLAY.search(kept.attribute)
            and self._strong(kept, writes)
        ):
            return Outcome(
                kept,
                "SS007",
                "its size alone is limited",
                Severity.INFO,
                Confidence.MEDIUM,
                best,
                writes,
            )
        if best is not None and best.rank <= Rank.CALLED:
            return Outcome(kept, "", best.why)
        unknown = self.growth.unknown_user(kept)
        if best is None and unknown:
            return Outcome(kept, "", unknown)
        return self._found(kept, writes, lifetime, best)

    def _strong(self, kept: Kept, writes: tuple[Op, ...]) -> bool:
        return any(self.growth.domain(kept, op) is Domain.SESSION for op in writes)

    def _found(
        self, kept: Kept, writes: tuple[Op, ...], lifetime: Lifetime, best: Judgement | None
    ) -> Outcome:
        code = SUBCODE[best.rank] if best is not None else "SS001"
        domain = max(self.growth.domain(kept, op) for op in writes)
        inner = any(
            op.inner and op.name in {"discard", "remove", "pop", "del[]", "clear"}
            for op in kept.ops
        )
        twin = self._twin(kept, writes)
        score = self._score(kept, writes, lifetime, domain) + (2.0 if twin else 0.0)
        if code == "SS001" and inner and self._holds_collections(kept):
            code = "SS002f"
        if code == "SS001":
            code = self._special(kept, writes)
        severity = Severity.ERROR if code in {"SS001", "SS002d", "SS007"} else Severity.WARNING
        if best is not None:
            score += BONUS.get(best.rank, 0.0)
            if best.rank is Rank.ASKED and "Memory" in kept.name:
                score += 2.5
        confidence = (
            Confidence.HIGH
            if score >= HIGH
            else Confidence.MEDIUM
            if score >= MEDIUM
            else Confidence.LOW
        )
        reason = best.why if best is not None else "nothing is ever removed"
        return Outcome(kept, code, reason, severity, confidence, best, writes, twin)

    def _holds_collections(self, kept: Kept) -> bool:
        if kept.kind in {
            "defaultdict(set)",
            "defaultdict(list)",
            "defaultdict(dict)",
            "defaultdict",
        }:
            return True
        made = {"=set", "=list", "=dict", "=deque", "set()", "list()", "dict()"}
        return any(op.event[7] in made or op.event[7].startswith("=") for op in kept.writes())

    def _special(self, kept: Kept, writes: tuple[Op, ...]) -> str:
        values = " ".join(f"{op.event[7]} {op.key}" for op in writes)
        if re.search(r"create_task|ensure_future|start_soon|submit\(\)", values):
            return "SS006"
        if LOCK.search(values) or LOCK.search(f".{kept.kind[12:-1]}" if kept.creates else ""):
            return "SS009"
        if SEEN.search(kept.attribute) and not re.search(
            r"(?i)rating|generat|iterat|operat|separat|integrat", kept.attribute
        ):
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
        mine_text = {text_of(op.key) for op in writes} - {""}
        for other in self.containers.all:
            if other is kept or other.owner is not kept.owner or other.module is not kept.module:
                continue
            if any(
                op.name in {"pop", "del[]"}
                and text_of(op.key) in mine_text
                and id(op.func) not in own_removers
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
        score += {Lifetime.LONG: 2.5, Lifetime.LIKELY: 2.0, Lifetime.UNKNOWN: 1.5}.get(
            lifetime, 0.0
        )
        if kept.scope in {GLOBAL, STATE}:
            score += 0.5
        if kept.scope == CLOSURE:
            score -= 0.5
        if kept.kind == "list" and not any(text_of(op.key) == "self" for op in writes):
            score -= 1.0
        if domain is not Domain.SESSION and re.search(
            r"(?i)warn|shown|emitted|logged|deprecat|notice|log_|already_", kept.attribute
        ):
            score -= 3.0
        if any(self._serves(op.func) for op in writes):
            score += 1.0
        if all(REGISTRY.match(op.func.name) for op in writes):
            score -= 2.0
        if re.search(
            r"(?i)(cache|memo|registry|loaded|compiled|templates?|config|schema|types?|handlers?|hooks?|factories|converters|plugins|providers|routes)s?$",
            kept.attribute,
        ):
            score -= 1.0
        if re.search(
            r"(?i)(session|conn|client|user|socket|agent|lock|task|room|peer|thread|conversation|stream|queue|pending|waiter|future|job|request)",
            kept.attribute,
        ):
            score += 0.5
        return score

    def _serves(self, func: Func) -> bool:
        """
        Tell whether *func* runs for a request.
        """
        if func.fact.flags & ASYNC or any(ROUTE.search(f".{d}") for d in func.fact.decorators):
            return True
        return any(
            site.func.fact.flags & ASYNC
            or any(ROUTE.search(f".{d}") for d in site.func.fact.decorators)
            for site in self.calls.sites(func)
        )


def _is_counted(op: Op) -> bool:
    """
    Tell whether an entry goes because there are too many, and for nothing else.
    """
    return any("len" in frame.text.split() for frame in op.frames if frame.kind in {TEST, AROUND})
