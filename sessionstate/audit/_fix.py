"""
What an audit can put right by itself.

A fix is safe or it is not made: the program does the same as before, but for the leak. How each
rule is fixed, and when it is not, stands with it: `_fix_tasks`, `_fix_finally`, `_fix_inner` and
`_fix_children`. They need libcst, so they are imported when something is to be fixed.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import unified_diff
from importlib import import_module
from pathlib import Path
from typing import Final

from sessionstate.audit._findings import Finding, Report

FIXABLE: Final = frozenset({"SS002b", "SS002f", "SS005c", "SS006"})
CHANGED: Final = "it changed since it was audited: audit it again"


@dataclass(frozen=True, slots=True)
class Change:
    """
    What a fix makes of one file, or why the file was left alone.

    .. versionadded:: 0.1
    """

    path: str
    """As in `Finding.path`."""
    before: str
    """The text as it was, with its own line ends; empty if it could not be read."""
    after: str
    """The text as it is fixed; *before* if the file was left alone."""
    findings: tuple[Finding, ...]
    """What was put right, by line; empty if the file was left alone."""
    problem: str = ""
    """Why the file was left alone, in one clause."""

    def diff(self) -> str:
        """
        The change as a unified diff, which ``patch -p1`` and ``git apply`` take.
        """
        name = self.path.lstrip("/")
        lines = unified_diff(_lines(self.before), _lines(self.after), f"a/{name}", f"b/{name}")
        return "".join(
            line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n"
            for line in lines
        )


def fix(report: Report, *, write: bool) -> tuple[Change, ...]:
    """
    Put right what can be put right safely.

    A file is left alone, with the reason in `Change.problem`, if it changed since the audit or
    cannot be read, written or parsed. A finding that has no safe fix is passed over.

    Args:
        report: What the audit found, from the working directory that it ran in.
        write: Whether to write the files; each is replaced in one step.

    Returns:
        A change for each file that is fixed, and for each that had to be left alone, by path.

    Raises:
        ImportError: If libcst is missing.

    .. versionadded:: 0.1
    """
    _require()
    found: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if finding.code in FIXABLE:
            found.setdefault(finding.path, []).append(finding)
    with warnings.catch_warnings():
        # What a parser says of a file, such as an invalid escape, is not for us to tell.
        warnings.simplefilter("ignore")
        changes = [_fixed(path, found[path], write=write) for path in sorted(found)]
    return tuple(change for change in changes if change.findings or change.problem)


def _require() -> None:
    """
    Import libcst, or tell how to get it.
    """
    try:
        import_module("libcst")
    except ImportError as error:
        raise ImportError(
            "a fix needs 'libcst': pip install 'sessionstate[audit-fix]'", name="libcst"
        ) from error


def _fixed(path: str, findings: Iterable[Finding], *, write: bool) -> Change:
    from sessionstate.audit._fix_rules import fixed  # noqa: PLC0415

    findings = sorted(findings, key=lambda finding: (finding.line, finding.column))
    before = ""
    try:
        data = Path(path).read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        before = data.decode(encoding)
        if not all(_is_current(finding, _lines(before)) for finding in findings):
            return Change(path, before, before, (), CHANGED)
        _parse(data, path)
        after, done = fixed(before, findings)
        if done:
            result = after.encode(encoding)
            _parse(result, path)
            if write:
                _replace(Path(path).resolve(), data, result)
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        return Change(path, before, before, (), f"{where}{error.msg}")
    except (OSError, ValueError, RecursionError) as error:
        return Change(path, before, before, (), str(error))
    return Change(path, before, after, done)


def _is_current(finding: Finding, lines: list[str]) -> bool:
    """
    Tell whether each line that *finding* speaks of is what it was.
    """
    defined = (finding.defined,) if finding.defined else ()
    return all(
        place.line <= len(lines) and lines[place.line - 1].strip() == place.text
        for place in (*finding.writes, *finding.removals, *defined)
        if place.path == finding.path and place.text
    )


def _parse(data: bytes, path: str) -> None:
    compile(data, path, "exec", dont_inherit=True)


def _replace(target: Path, old: bytes, new: bytes) -> None:
    """
    Replace a file in one step, unless somebody else did.
    """
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(new)
        shutil.copymode(target, temporary)
        if target.read_bytes() != old:
            raise ValueError(CHANGED)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _lines(text: str) -> list[str]:
    """
    Return the lines as Python counts them: a form feed ends none.
    """
    return list(_each_line(text))


def _each_line(text: str) -> Iterator[str]:
    return iter(io.StringIO(text, newline=""))
