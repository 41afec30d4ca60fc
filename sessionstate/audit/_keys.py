"""
Of how many values a key may be: as many as there are sessions, or as many as somebody wrote down.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from sessionstate.audit._vocabulary import (
    BOUNDED_ANNOTATION,
    BOUNDED_KEY,
    MAY_COME,
    MEDIUM_KEY,
    RANDOM,
    REQUEST,
    STRONG_ANNOTATION,
    STRONG_KEY,
)

PARTS: Final = re.compile(r"\+(?=[a-z]:)")
"""What stands between the parts of a key that is several."""
CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""Where a word begins within `sessionId`."""
FIXED: Final = frozenset({"c", "b", "s"})
"""Origins of keys that stand in the source."""


class Domain(IntEnum):
    """
    How many values a key takes, the fewest first.
    """

    BOUNDED = 0
    """There are as many as somebody wrote down."""
    UNKNOWN = 1
    LIKELY = 2
    """Its name says that there is one for each of something."""
    SESSION = 3
    """There is one for each session, request, peer or task."""


class Keys:
    """
    Classifies keys as `Expressions.key` writes them.

    Args:
        session: Further names of keys that grow.
        bounded: Further names of keys that do not.
    """

    def __init__(self, session: Sequence[str] = (), bounded: Sequence[str] = ()) -> None:
        self._session = frozenset(session)
        self._bounded = frozenset(bounded)
        self._known: dict[str, Domain] = {}

    def domain(self, key: str) -> Domain:
        """
        Return the domain of a key.
        """
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._of(key)
        return found

    def _of(self, key: str) -> Domain:
        origin, _, text = key.partition(":")
        if origin in FIXED:
            return Domain.BOUNDED
        if origin == "u":
            return Domain.SESSION
        if origin == "t":
            parts = (self.domain(part) for part in PARTS.split(text) if part)
            return max(parts, default=Domain.BOUNDED)
        if origin == "k":
            return Domain.UNKNOWN
        name, _, source = text.partition("<")
        if source:
            via = self.domain(source)
            return via if via is not Domain.UNKNOWN else self._named(name, "", origin)
        name, _, annotation = name.partition("|")
        return self._named(name, annotation, origin)

    def _named(self, name: str, annotation: str, origin: str) -> Domain:
        last = name.rpartition(".")[2]
        for each in (last, name):
            if each in self._session:
                return Domain.SESSION
            if each in self._bounded:
                return Domain.BOUNDED
        if annotation and BOUNDED_ANNOTATION.search(annotation):
            return Domain.BOUNDED
        if annotation and STRONG_ANNOTATION.search(annotation):
            return Domain.SESSION
        words = name.replace("()", "").split(".")
        if name.startswith(("os.environ", "os.getenv")):
            return Domain.BOUNDED
        if (name == "self" and origin == "v") or any(map(RANDOM.search, words)):
            return Domain.SESSION
        snake = CAMEL.sub("_", name).lower() if last != last.upper() else name
        base, _, tail = snake.rpartition(".")
        owner = base.rpartition(".")[2]
        if tail == "id" and STRONG_KEY.search(owner):
            return Domain.SESSION
        if tail in {"id", "name"} and BOUNDED_KEY.search(owner):
            return Domain.BOUNDED
        if BOUNDED_KEY.search(tail) or BOUNDED_KEY.search(name):
            return Domain.BOUNDED
        if STRONG_KEY.search(snake):
            return Domain.SESSION
        if origin == "a" and REQUEST.search(snake):
            return Domain.SESSION
        if (origin == "a" and MAY_COME.search(snake)) or MEDIUM_KEY.search(tail):
            return Domain.LIKELY
        return Domain.UNKNOWN
