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
from sessionstate.audit._conditions import rolls_back, text_of
from sessionstate.audit._containers import Containers, Kept, Op
from sessionstate.audit._contexts import AROUND, TEST
from sessionstate.audit._findings import Confidence, Place, Severity
from sessionstate.audit._growth import Growth, refusals
from sessionstate.audit._keys import Domain, Keys
from sessionstate.audit._owners import Lifetime, Owners
from sessionstate.audit._points import TWIN, confidence_of, points
from sessionstate.audit._project import Project
from sessionstate.audit._ranks import SUBCODE, Judgement, Rank
from sessionstate.audit._vocabulary import LOCK, SEEN

CAPPED: Final = "its size is limited"
"""Why a container is clean of which the size alone is."""
ERRORS: Final = frozenset({"SS001", "SS002d", "SS007"})
"""Codes of what always leaks; of the others some entries go."""
REPLAY: Final = re.compile(r"(?i)seen|replay|nonce|signature|idempot|processed|delivered|dedup")
"""Names of containers of which an entry must not go early."""
TAKEN: Final = frozenset({"discard", "remove", "pop", "del[]"})
"""What takes out one entry."""
BY_KEY: Final = frozenset({"pop", "del[]"})
"""What takes out one entry by its key."""
COLLECTIONS: Final = frozenset(
    {"defaultdict(set)", "defaultdict(list)", "defaultdict(dict)", "defaultdict"}
)
"""Kinds that make a collection for each key."""
MADE: Final = frozenset({"set()", "list()", "dict()"})
"""Values that are a collection; `=set` is another way to write one."""
STARTED: Final = re.compile(r"create_task|ensure_future|start_soon|submit\(\)")
"""Values that are tasks."""
PROCESSING: Final = re.compile(r"(?i)rating|generat|iterat|operat|separat|integrat")
"""Names in which ``rate`` is no limit of a rate."""
TIMED: Final = re.compile(r"(?i)expir|ttl|max_age|monotonic|deadline")
"""The names in a test of how old an entry is."""


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
        inner = any(op.inner and (op.name in TAKEN or op.name == "clear") for op in kept.ops)
        twin = self._twin(kept, writes)
        score = TWIN if twin else 0.0
        score += points(kept, writes, domain=domain, lifetime=lifetime, best=best, calls=self.calls)
        if code == "SS001" and inner and self._holds_collections(kept):
            code = "SS002f"
        if code == "SS001":
            code = self._special(kept, writes)
        severity = Severity.ERROR if code in ERRORS else Severity.WARNING
        reason = best.why if best is not None else _unasked(kept)
        return Outcome(kept, code, reason, severity, confidence_of(score), best, writes, twin)

    @staticmethod
    def _holds_collections(kept: Kept) -> bool:
        if kept.kind in COLLECTIONS:
            return True
        return any(op.event[7] in MADE or op.event[7].startswith("=") for op in kept.writes())

    def _special(self, kept: Kept, writes: tuple[Op, ...]) -> str:
        """
        Return the code of what only grows: there are rules for tasks, locks and what was seen.
        """
        values = " ".join(f"{op.event[7]} {op.key}" for op in writes)
        if STARTED.search(values):
            return "SS006"
        made = kept.kind.partition("(")[2].removesuffix(")")  # by a defaultdict
        if LOCK.search(values) or LOCK.search(made):
            return "SS009"
        if SEEN.search(kept.attribute) and not PROCESSING.search(kept.attribute):
            return "SS007"
        if kept.kind in {"dict", "OrderedDict"} and self._compares_time(kept):
            return "SS010"
        return "SS001"

    def _compares_time(self, kept: Kept) -> bool:
        """
        Tell whether a function that looks an entry up asks how old it is.
        """
        for op in kept.ops:
            if op.name in {"get", "[]"} and not op.inner:
                frames = (frame for seen in self.calls.events(op.func) for frame in seen.frames)
                tests = [frame.text for frame in frames if frame.kind == TEST]
                if any(map(TIMED.search, (*tests, *refusals(op.func)))):
                    return True
        return False

    def _twin(self, kept: Kept, writes: tuple[Op, ...]) -> str:
        """
        Return the name of a container beside this one that is emptied where this one is not.

        It has the same keys, or is written by the same functions.
        """
        mine = {id(op.func) for op in writes}
        own_removers = {id(op.func) for op in kept.removals()}
        mine_text = {text_of(op.key) for op in writes} - {""}
        beside = [
            other
            for other in self.containers.all
            if other is not kept and other.module is kept.module and other.owner is kept.owner
        ]
        for other in beside:
            if any(
                op.name in BY_KEY
                and text_of(op.key) in mine_text
                and id(op.func) not in own_removers
                for op in other.removals()
            ):
                return other.attribute
        for other in beside:
            removers = {id(op.func) for op in other.removals() if op.name in TAKEN}
            written = any(id(op.func) in mine for op in other.writes())
            if written and removers and not removers & own_removers:
                return other.attribute
        return ""


def _is_counted(op: Op) -> bool:
    """
    Tell whether an entry goes because there are too many, and for nothing else.
    """
    return any("len" in frame.text.split() for frame in op.frames if frame.kind in {TEST, AROUND})


def _unasked(kept: Kept) -> str:
    undone = any(rolls_back(op) for op in kept.removals())
    return "only what fails is removed" if undone else "nothing is ever removed"
