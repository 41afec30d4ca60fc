"""
Patterns of paths, as a `.gitignore` has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

WILD: Final = re.compile(r"(\*\*/|/\*\*$|\*+|\?|\[!?\]?[^]/]*\])")


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """
    Return what matches a path as *pattern* does, if folders end with ``/``.

    A pattern without ``/`` is a name at any depth; one with ``/`` begins at the root; one that ends
    with ``/`` is a folder.

    Raises:
        re.error: If there is a range such as ``[z-a]``.
    """
    pattern = pattern.replace("\\", "/").removeprefix("./")
    body = pattern.rstrip("/")
    begin = "" if "/" in body else "(?:.*/)?"
    end = "/?" if body == pattern else "/"
    inner = "".join(_regex(part) for part in WILD.split(body.removeprefix("/")))
    return re.compile(f"{begin}{inner}{end}", re.DOTALL)


def matches(pattern: str, path: str) -> bool:
    """
    Tell whether *pattern* matches *path*, or a folder that it lies in.
    """
    expression = compiled(pattern)
    return any(expression.fullmatch(each) for each in _with_folders(path))


def excluded(patterns: Sequence[str], path: str) -> bool:
    """
    Tell whether *patterns* exclude *path*, or a folder that it lies in.

    The last one that matches decides, and one with ``!`` takes back in. As with git, nothing comes
    back from a folder that is out.
    """
    return any(_decided(patterns, each) for each in _with_folders(path))


def _decided(patterns: Sequence[str], path: str) -> bool:
    for pattern in reversed(patterns):
        if compiled(pattern.removeprefix("!")).fullmatch(path):
            return not pattern.startswith("!")
    return False


def _with_folders(path: str) -> Iterator[str]:
    """
    Yield the folders that *path* lies in, outermost first and each with its ``/``; then *path*.
    """
    path = path.replace("\\", "/").removeprefix("./")
    for at, character in enumerate(path[:-1]):
        if character == "/":
            yield path[: at + 1]
    yield path


def _regex(part: str) -> str:
    """
    Return what a piece of a pattern, as `WILD` splits it, is as a regular expression.
    """
    if part == "**/":
        return "(?:.*/)?"
    if part == "/**":
        return "/.+"
    if part.startswith("*"):
        return "[^/]*"
    if part == "?":
        return "[^/]"
    if WILD.fullmatch(part):
        negated = part.startswith("[!")
        inner = re.sub(r"([\[\]^])", r"\\\1", part[2 if negated else 1 : -1])
        return f"[^/{inner}]" if negated else f"[{inner}]"
    return re.escape(part)
