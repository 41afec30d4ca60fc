"""
One file, reduced to its facts; or to the reason why it cannot be.
"""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from typing import Final, NamedTuple

from sessionstate.audit._cache import key_of
from sessionstate.audit._facts import Facts, facts_of
from sessionstate.audit._files import unreadable

LARGEST: Final = 8_000_000
"""How many bytes a file may have: its syntax tree takes 200 to 300 times as many."""

TESTING: Final = re.compile(rb"^(?:import|from)[ \t]+(?:pytest|unittest)\b", re.MULTILINE)
RUNNING: Final = sys.version_info[:2]
NEWER: Final = (
    ((3, 12), "a type parameter", re.compile(r"\s*(async\s+)?(def|class)\s+\w+\s*\[")),
    ((3, 12), "a type alias", re.compile(r"\s*type\s+\w+\s*[\[=]")),
    ((3, 12), "a newer kind of f-string", re.compile(r".*\nf-string[: ]")),
    ((3, 14), "a t-string", re.compile(r"(.*[\s(\[{,=:+])?(t|tr|rt)['\"]", re.IGNORECASE)),
    ((3, 14), "an `except` without parentheses", re.compile(r"\s*except\*?\s[^()]+,[^()]+:")),
)
"""What an interpreter before that version calls an error, by the line and the message."""


class Reduced(NamedTuple):
    """
    What became of one file. If there are neither facts nor a problem, it is gone.
    """

    key: bytes
    """Of its content, for the cache; empty if it could not be read."""
    facts: bytes = b""
    """As `unpacked` takes them."""
    problem: str = ""
    line: int = 0


def read_file(path: str) -> bytes | Reduced:
    """
    Return the content of a file; or why there is none.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        return Reduced(b"", problem=unreadable(error))


def reduced(path: str) -> Reduced:
    """
    Read a file, and reduce it to its facts.
    """
    content = read_file(path)
    return content if isinstance(content, Reduced) else reduced_content(content, path)


def reduced_content(content: bytes, path: str) -> Reduced:
    """
    Reduce the *content* of a file. There is nothing that it could raise.
    """
    key = key_of(content)
    if len(content) > LARGEST:
        limit = f"{LARGEST // 1_000_000} MB"
        return Reduced(key, problem=f"it is larger than {limit}: exclude it, or split it")
    try:
        with warnings.catch_warnings():
            # They are about the audited source, and with `-W error` they would be syntax errors.
            warnings.simplefilter("ignore")
            facts = facts_of(content, path)
    except SyntaxError as error:
        return Reduced(key, b"", *_explained(error))
    except (RecursionError, MemoryError):
        return Reduced(key, problem="it is nested too deeply, or too large for the memory")
    except ValueError as error:
        return Reduced(key, problem=f"it is no Python source: {error}")
    except Exception as error:  # one file must not stop the audit of all others
        what = f"{type(error).__name__}: {error}"
        return Reduced(key, problem=f"the audit failed on it, please report that: {what}")
    facts.lines = lines_of(content)
    return Reduced(key, packed(facts, content))


def lines_of(content: bytes) -> int:
    """
    Return how many lines *content* has, whatever ends them.
    """
    ends = content.count(b"\n")
    if b"\r" in content:
        ends += content.count(b"\r") - content.count(b"\r\n")
    return ends + (content[-1:] not in b"\r\n")


def packed(facts: Facts, content: bytes) -> bytes:
    """
    Return *facts* as bytes, with what they do not tell: whether the file is a test.
    """
    is_test = TESTING.search(content) is not None and any(
        each.name.startswith("test_") for each in facts.functions
    )
    return (b"t" if is_test else b"-") + facts.stored()


def unpacked(stored: bytes) -> tuple[Facts, bool]:
    """
    Return the facts of a file, and whether it is a test.
    """
    return Facts.read(stored[1:]), stored[:1] == b"t"


def _explained(error: SyntaxError) -> tuple[str, int]:
    """
    Return what is wrong with a file, and in which line.
    """
    message, line = error.msg, error.lineno or 0
    if "codec can't decode" in message:
        message = "it is not UTF-8, and names no other encoding in its first line"
    elif "null bytes" in message:
        message = "it contains null bytes, so it is no Python source, or it is UTF-16"
    about = f"{(error.text or '').rstrip()}\n{message}"
    for version, what, pattern in NEWER:
        if version > RUNNING and pattern.match(about):
            newer, older = (".".join(map(str, each)) for each in (version, RUNNING))
            message += f"; if that is {what}, run the audit with Python {newer}, not {older}"
            break
    return (f"line {line}: {message}" if line else message), line
