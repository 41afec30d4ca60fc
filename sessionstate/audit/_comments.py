"""
Comments that accept a finding: ``# noqa`` and ``# sessionstate: bounded-by``.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sessionstate.audit._rules import RULES, rule_of

NOQA: Final = re.compile(
    r"#\s*noqa(?![\w-])"
    r"(?P<colon>\s*:\s*(?P<codes>[a-z]+[0-9]+[a-z]?(?:[\s,]+[a-z]+[0-9]+[a-z]?)*)?)?",
    re.IGNORECASE,
)
OURS: Final = re.compile(r"#\s*sessionstate:\s*(?P<word>[\w-]*)(?P<rest>.*)", re.IGNORECASE)
OUR_CODE: Final = re.compile(r"\bSS[0-9]+[a-z]?\b", re.IGNORECASE)
NEXT: Final = re.compile(r"\s#(?=\s|noqa|type:|pragma)", re.IGNORECASE)
"""Where another comment begins; ``issue #12`` is none."""
RELEVANT: Final = re.compile(r"sessionstate:|noqa(?![^\S\n]*:)|noqa.*\bSS[0-9]", re.IGNORECASE)
"""Whatever may accept something; to look closer takes long, and most are a linter's."""
NO_CODE: Final = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
)


@dataclass(slots=True)
class Comments:
    """
    What the comments of one file accept.
    """

    _reasons: dict[int, dict[str, str]] = field(default_factory=dict[int, dict[str, str]])
    """By line; the reason by code, or by "" for whatever there is."""
    complaints: tuple[tuple[int, str], ...] = ()
    """Comments that accept nothing though they were meant to, by line, each with advice."""

    def accepts(self, code: str, line: int) -> str | None:
        """
        Return why a finding of *code* at *line* is accepted: the reason given, or ``noqa``.
        """
        reasons = self._reasons.get(line)
        if reasons is None:
            return None
        return reasons.get("") or reasons.get(code) or reasons.get(rule_of(code))

    def _add(self, first: int, last: int, accepted: dict[str, str]) -> None:
        for line in range(first, last + 1):
            self._reasons.setdefault(line, {}).update(accepted)


def comments(source: str) -> Comments:
    """
    Read the comments of *source*, as far as it can be read.

    A comment is for the whole statement that it stands in or behind; a ``bounded-by`` on a line of
    its own for the next one.
    """
    found = Comments()
    if RELEVANT.search(source) is None:
        return found
    complaints: list[tuple[int, str]] = []
    for first, last, texts in _statements(source):
        for line, text in texts:
            accepts_all, complaint = _bounded(text)
            # As everywhere, a noqa is for the line that it stands behind.
            accepts, other = _noqa(text) if line >= first else ({}, "")
            complaints += [(line, each) for each in (complaint, other) if each]
            found._add(first, last, accepts | accepts_all)
    found.complaints = tuple(complaints)
    return found


def _statements(source: str) -> Iterator[tuple[int, int, list[tuple[int, str]]]]:
    """
    Yield the first and last line of each statement, with its comments and those above it.
    """
    first = 0
    last = 0
    texts: list[tuple[int, str]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(source, newline=None).readline):
            if token.type == tokenize.COMMENT:
                texts.append((token.start[0], token.string))
            elif token.type == tokenize.NEWLINE:
                yield first, token.start[0], texts
                first, texts = 0, []
            elif token.type not in NO_CODE:
                first = first or token.start[0]
                last = token.end[0]
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass
    yield first or sys.maxsize, last, texts


def _noqa(text: str) -> tuple[dict[str, str], str]:
    """
    Return what a ``noqa`` in *text* accepts, by code, and what is wrong with it.
    """
    found = NOQA.search(text)
    if found is None:
        return {}, ""
    if found["colon"] is None:
        return {"": "noqa"}, ""
    ours = [each[:2].upper() + each[2:].lower() for each in OUR_CODE.findall(found["codes"] or "")]
    complaint = ""
    for each in ours:
        if each not in RULES:
            complaint = (
                f"noqa names {each!r}, which is no rule: write SS001 to SS010, or a sub-code such "
                f"as SS002b"
            )
    return {each: "noqa" for each in ours if each in RULES}, complaint


def _bounded(text: str) -> tuple[dict[str, str], str]:
    """
    Return what a comment of ours in *text* accepts, and what is wrong with it.
    """
    found = OURS.search(text)
    if found is None:
        return {}, ""
    word = found["word"].lower()
    reason = NEXT.split(found["rest"], maxsplit=1)[0].strip(" \t:=-\u2013\u2014")
    if word != "bounded-by":
        return {}, f"{word!r} is unknown here: write '# sessionstate: bounded-by <reason>'"
    if not reason:
        return {}, (
            "bounded-by needs a reason: write what bounds it, as in "
            "'# sessionstate: bounded-by the number of regions'"
        )
    return {"": reason}, ""
