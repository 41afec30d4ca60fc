"""
How well the audit does on the corpus: precision and recall, by container.

`python -m tests.audit.scoring [-v]`, or `nox -s audit`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sessionstate.audit import Finding, Settings, audit

CORPUS = Path(__file__).parent / "corpus"
MARK = re.compile(r"# (?P<word>leaks|unseen) (?P<code>SS\d{3}[a-g]?)(?P<info> info)?:")


class Marked(NamedTuple):
    """
    A line of the corpus that says what leaks there.
    """

    path: str
    line: int
    code: str
    unseen: bool
    """Whether the corpus says that the audit does not see it."""
    info: bool
    """Whether it is only a suggestion, which does not count either way."""


class Score(NamedTuple):
    """
    What the audit said of one case.
    """

    name: str
    found: tuple[tuple[Marked, Finding], ...]
    missed: tuple[Marked, ...]
    wrong: tuple[Finding, ...]
    """Findings at no line that is marked as a leak."""


def cases() -> list[Path]:
    """
    Return each case, in order: a file, or a folder.
    """
    return sorted(
        path
        for kind in ("leaking", "clean")
        for path in (CORPUS / kind).iterdir()
        if path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")
    )


def marks(case: Path) -> Iterator[Marked]:
    """
    Yield each marked line of *case*.
    """
    for file in [case] if case.is_file() else sorted(case.rglob("*.py")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if (match := MARK.search(line)) is not None:
                unseen, info = match["word"] == "unseen", match["info"] is not None
                yield Marked(file.as_posix(), number, match["code"], unseen, info)


def score(case: Path) -> Score:
    """
    Audit one case by itself.
    """
    leaks = list(marks(case))
    found: dict[Marked, Finding] = {}
    wrong = []
    for finding in audit([case], settings=Settings(root=CORPUS, cache=False, jobs=1)).findings:
        places = (*finding.writes, *([finding.defined] if finding.defined else []))
        lines = {(_path(place.path), place.line) for place in (finding, *places)}
        hit = next((mark for mark in leaks if (mark.path, mark.line) in lines), None)
        if hit is None:
            wrong.append(finding)
        else:
            found.setdefault(hit, finding)
    missed = (mark for mark in leaks if mark not in found and not mark.info)
    counted = ((mark, finding) for mark, finding in found.items() if not mark.info)
    return Score(case.stem, tuple(counted), tuple(missed), tuple(wrong))


def _path(path: str) -> str:
    return Path(path).resolve().as_posix()


def _share(part: int, rest: int) -> float:
    return part / max(1, part + rest)


def main() -> None:
    """
    Print precision and recall, and, with ``-v``, whatever is not as marked.
    """
    scores = [score(case) for case in cases()]
    found = [each for one in scores for each in one.found]
    missed = [each for one in scores for each in one.missed]
    wrong = [each for one in scores for each in one.wrong]
    if "-v" in sys.argv:
        for mark in missed:
            print(f"missed {mark.code:7} {Path(mark.path).relative_to(CORPUS)}:{mark.line}")
        for finding in wrong:
            print(f"wrong  {finding.code:7} {finding.path}:{finding.line} {finding.message}")
        for mark, finding in found:
            if mark.code != finding.code:
                print(f"other  {mark.code:7} {Path(mark.path).name}:{mark.line} {finding.code}")
    partly = [mark.code.startswith("SS002") for mark, _ in found].count(True)
    partly_missed = [mark.code.startswith("SS002") for mark in missed].count(True)
    exact = sum(mark.code[:5] == finding.rule for mark, finding in found)
    print(f"{len(scores)} cases, {len(found) + len(missed)} leaks: {len(found)} found")
    print(f"precision {_share(len(found), len(wrong)):.3f}, {len(wrong)} false alarms")
    print(f"recall {_share(len(found), len(missed)):.3f}")
    print(f"recall of SS002 {_share(partly, partly_missed):.3f}")
    print(f"named by their own rule: {exact} of {len(found)}")


if __name__ == "__main__":
    main()
