"""
Findings that were there before: accepted, until somebody mends them.

An entry names the rule, the file and the container, and no line, so that edits elsewhere in the
file do not matter. Where one container has several findings of a rule, they are counted.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sessionstate.audit._findings import Accepted, Finding
from sessionstate.audit._rules import RULES
from sessionstate.audit._settings import SettingsError

VERSION: Final = 1
ADVICE: Final = "write it anew with 'sessionstate audit --write-baseline FILE'"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """
    What a baseline accepts: so many findings of a rule about a container in a file.
    """

    path: str
    """From the root on, with ``/``."""
    rule: str
    container: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Baseline:
    """
    What was there before, and is accepted.

    .. versionadded:: 0.1
    """

    root: Path
    counts: Mapping[tuple[str, str, str], int]
    """By path, rule and container."""

    def split(self, findings: Iterable[Finding]) -> tuple[list[Finding], list[Accepted]]:
        """
        Return what is new, and what is accepted, both in the order of *findings*.

        The first ones of a container are those that are accepted.
        """
        left = Counter(self.counts)
        new: list[Finding] = []
        accepted: list[Accepted] = []
        for finding in findings:
            key = _key(finding, self.root)
            if left[key] > 0:
                left[key] -= 1
                accepted.append(Accepted(finding, "baseline"))
            else:
                new.append(finding)
        return new, accepted

    def stale(self, findings: Iterable[Finding]) -> list[Entry]:
        """
        Return what *findings* no longer use, sorted: it was mended, moved or renamed.

        Args:
            findings: All that there are, whether they are accepted or not.
        """
        left = Counter(self.counts)
        left.subtract(_key(finding, self.root) for finding in findings)
        return sorted(Entry(*key, count) for key, count in left.items() if count > 0)


def write(path: str | Path, findings: Iterable[Finding], *, root: Path) -> None:
    """
    Write a baseline that accepts *findings*, one to a line, sorted.

    Args:
        path: The file to write.
        findings: What to accept.
        root: Where paths in it begin, as in `Settings.root`.

    Raises:
        OSError: If the file cannot be written.
    """
    counts = Counter(_key(finding, root) for finding in findings)
    entries = sorted(Entry(*key, count) for key, count in counts.items())
    lines = ",\n".join(f"    {json.dumps(asdict(entry))}" for entry in entries)
    inside = f"\n{lines}\n  " if lines else ""
    text = f'{{\n  "version": {VERSION},\n  "accepted": [{inside}]\n}}\n'
    Path(path).write_text(text, encoding="utf-8", newline="\n")


def load(path: str | Path, *, root: Path) -> Baseline:
    """
    Read a baseline.

    Args:
        path: The file to read.
        root: Where paths in it begin, as in `Settings.root`.

    Raises:
        SettingsError: If there is no such file, or it is no baseline.
    """
    try:
        data: Any = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(
            f"there is no baseline {os.fspath(path)!r}: write it with "
            f"'sessionstate audit --write-baseline {os.fspath(path)}'"
        ) from error
    except OSError as error:
        raise SettingsError(
            f"the baseline {os.fspath(path)!r} cannot be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise SettingsError(
            f"the baseline {os.fspath(path)!r} is not JSON: {error}; mend it, or {ADVICE}"
        ) from error
    try:
        if data["version"] != VERSION:
            raise _refused(path, f"its version is {data['version']!r}, not {VERSION}")
        counts: Counter[tuple[str, str, str]] = Counter()
        for each in data["accepted"]:
            _check(each, path)
            entry = Entry(**each)
            counts[entry.path, entry.rule, entry.container] += entry.count
    except (KeyError, TypeError) as error:
        raise _refused(path, f"it is not of the form that is written ({error})") from error
    return Baseline(root, counts)


def _check(entry: Any, path: str | Path) -> None:  # noqa: ANN401 - whatever a file may hold
    texts = [entry["path"], entry["rule"], entry["container"]]
    if not all(isinstance(text, str) for text in texts) or entry["rule"] not in RULES:
        raise _refused(path, f"{entry!r} names no rule, file or container")
    if type(entry["count"]) is not int or entry["count"] < 1:
        raise _refused(path, f"{entry!r} counts nothing")


def _refused(path: str | Path, why: str) -> SettingsError:
    return SettingsError(f"the baseline {os.fspath(path)!r} is broken: {why}; {ADVICE}")


def _key(finding: Finding, root: Path) -> tuple[str, str, str]:
    """
    Return what a finding is known by.
    """
    path = Path(finding.path)
    folder = path.parent.resolve()  # not the file, which may be a link to elsewhere
    try:
        name = os.path.relpath(folder / path.name, root.resolve())
    except ValueError:  # another drive
        name = str(folder / path.name)
    return name.replace(os.sep, "/"), finding.rule, finding.container
