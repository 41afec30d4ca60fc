"""
The words an audit answers in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """
    How bad it is if the finding is right.

    .. versionadded:: 0.1
    """

    ERROR = "error"
    """Grows without end."""
    WARNING = "warning"
    """Grows, or may be left behind, in some way out."""
    INFO = "info"
    """A suggestion: bounded, or only slow."""


class Confidence(StrEnum):
    """
    How sure the audit is that the finding is right.

    .. versionadded:: 0.1
    """

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    def reaches(self, least: Confidence) -> bool:
        """
        Tell whether this is at least as sure as *least*.
        """
        order = list(Confidence)
        return order.index(self) <= order.index(least)


class Verdict(StrEnum):
    """
    What an inventory says of a container.

    .. versionadded:: 0.1
    """

    LEAK = "leak"
    """There is a finding, at the confidence asked for."""
    SUSPECT = "suspect"
    """There is a finding below the confidence asked for, or one that is merely a suggestion."""
    CLEAN = "clean"
    """Whatever is put in goes again, or what can be put in is bounded."""
    ACCEPTED = "accepted"
    """A comment or the baseline says that it is meant to be so."""


@dataclass(frozen=True, slots=True)
class Place:
    """
    A place in a source file.

    .. versionadded:: 0.1
    """

    path: str
    """As it was found: relative to the working directory where it lies below it; with ``/``."""
    line: int
    """From 1."""
    column: int
    """From 1, in characters."""
    text: str = ""
    """The source line, stripped."""


@dataclass(frozen=True, slots=True)
class Exit:
    """
    A way out that misses the removal.

    .. versionadded:: 0.1
    """

    line: int
    """Where the function is left, or where what it awaits or calls is; from 1."""
    kind: str
    """``cancelled``, ``exception``, ``return``, ``raise`` or ``end``; ``event`` if nothing came."""
    message: str
    """One clause, such as ``leaks if cancelled at line 139``."""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One container, or one other thing kept for a session, that may not go.

    .. versionadded:: 0.1
    """

    rule: str
    """``SS001`` to ``SS010``."""
    code: str
    """The rule with its sub-code, such as ``SS002b``; the rule itself where it has none."""
    path: str
    """The file, as in `Place.path`."""
    line: int
    """The line to look at first: the write."""
    column: int
    """From 1."""
    container: str
    """What is kept: ``agents``, ``Manager._sessions``, ``app.state.sockets``."""
    severity: Severity
    confidence: Confidence
    message: str
    """One sentence: what grows, why it does not shrink."""
    exits: tuple[Exit, ...] = ()
    """The ways out that miss the removal, in the order of their lines."""
    writes: tuple[Place, ...] = ()
    """Where entries come from."""
    removals: tuple[Place, ...] = ()
    """Where entries go, on those ways out that reach it."""
    defined: Place | None = None
    """Where the container is made."""
    advice: str = ""
    """What to write instead, in one sentence."""


def home(finding: Finding) -> tuple[str, str]:
    """
    Return the file in which the container of *finding* is made, and its name.
    """
    return (finding.defined or finding).path, finding.container


@dataclass(frozen=True, slots=True)
class Container:
    """
    One map, set or list that outlives a call, with its verdict.

    .. versionadded:: 0.1
    """

    name: str
    """As in `Finding.container`."""
    kind: str
    """``dict``, ``set``, ``list``, ``defaultdict``, ``OrderedDict``, ``WeakValueDictionary`` ..."""
    defined: Place
    verdict: Verdict
    reason: str
    """One clause: why it is clean, which finding it is, or what the comment says."""
    writes: int
    """How many places put something in."""
    removals: int
    """How many places take something out."""
    code: str = ""
    """The finding's, if there is one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """
    A file that could not be audited.

    .. versionadded:: 0.1
    """

    path: str
    message: str
    """What happened and why: ``line 3: invalid syntax``, ``it is not UTF-8`` ..."""
    line: int = 0
    """From 1; 0 if the whole file is meant."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    A finding that a comment or the baseline accepts.

    .. versionadded:: 0.1
    """

    finding: Finding
    reason: str
    """What follows ``bounded-by``; ``noqa`` or ``baseline`` otherwise."""


@dataclass(frozen=True, slots=True)
class Report:
    """
    What an audit found.

    .. versionadded:: 0.1
    """

    findings: tuple[Finding, ...]
    """By path and line; at least as sure as was asked for, and not accepted."""
    containers: tuple[Container, ...] = ()
    """Every map and set, by path and line."""
    accepted: tuple[Accepted, ...] = ()
    problems: tuple[Problem, ...] = ()
    files: int = 0
    """How many files were read."""
    lines: int = 0
    """How many lines they have."""
    hidden: int = 0
    """How many findings are less sure than was asked for."""
    seconds: float = field(default=0.0, compare=False)
    """How long it took."""
