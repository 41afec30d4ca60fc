"""
How well the audit does on the corpus: precision and recall, by container.

`python -m tests.audit.scoring [-v]`
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sessionstate.audit import Confidence, Finding, Settings, audit

CORPUS = Path(__file__).parent / "corpus"
MARK = re.compile(
    r"#\s*(?:leaks (?P<code>SS\d{3}[a-g]?)(?: info)?|(?P<clean>clean)|counted at .*?):"
)
COUNTED = re.compile(r"#\s*counted at ")


class Marked(NamedTuple):
    """
    A line of the corpus that says what it is.
    """

    path: str
    line: int
    code: str
    """Empty if it is clean."""


@dataclass(frozen=True)
class Score:
    """
    What the audit said of one case.
    """

    name: str
    found: tuple[tuple[Marked, Finding], ...]
    missed: tuple[Marked, ...]
    wrong: tuple[Finding, ...]
    """Findings that are at no line that is marked as a leak."""
    marks: int


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
                yield Marked(file.as_posix(), number, match["code"] or "")


def score(case: Path) -> Score:
    """
    Audit one case by itself, with suggestions counted as findings.
    """
    settings = Settings(root=CORPUS, cache=False, confidence=Confidence.MEDIUM, jobs=1)
    report = audit([case], settings=settings)
    marked = list(marks(case))
    leaks = [mark for mark in marked if mark.code]
    found: dict[Marked, Finding] = {}
    wrong = []
    for finding in report.findings:
        lines = {(_path(finding.path), finding.line)}
        places = (*finding.writes, *([finding.defined] if finding.defined else []))
        lines |= {(_path(place.path), place.line) for place in places}
        hit = next((mark for mark in leaks if (mark.path, mark.line) in lines), None)
        if hit is not None:
            found.setdefault(hit, finding)
        else:
            wrong.append(finding)
    missed = tuple(mark for mark in leaks if mark not in found)
    return Score(case.stem, tuple(found.items()), missed, tuple(wrong), len(marked))


def _path(path: str) -> str:
    return Path(path).resolve().as_posix()


def main() -> None:
    """
    Print precision and recall, and, with ``-v``, whatever is wrong.
    """
    scores = [score(case) for case in cases()]
    found = sum(len(each.found) for each in scores)
    missed = sum(len(each.missed) for each in scores)
    wrong = sum(len(each.wrong) for each in scores)
    partial = [m.code[:5] == "SS002" for s in scores for m, _ in s.found]
    partly_missed = [m.code[:5] == "SS002" for s in scores for m in s.missed]
    exact = sum(m.code[:5] == f.rule for s in scores for m, f in s.found)
    if "-v" in sys.argv:
        for each in scores:
            for mark in each.missed:
                print(f"missed {mark.code:7} {Path(mark.path).relative_to(CORPUS)}:{mark.line}")
            for finding in each.wrong:
                print(
                    f"wrong  {finding.code:7} {Path(_path(finding.path)).relative_to(CORPUS)}"
                    f":{finding.line} {finding.container}: {finding.message}"
                )
            for mark, finding in each.found:
                if mark.code != finding.code:
                    print(
                        f"other  {mark.code:7} {Path(mark.path).name}:{mark.line} is {finding.code}"
                    )
    print(f"{len(scores)} cases, {found + missed} leaks, {found} found, {wrong} false alarms")
    print(
        f"precision {found / max(1, found + wrong):.3f}, recall {found / max(1, found + missed):.3f}"
    )
    print(f"recall of SS002 {sum(partial) / max(1, sum(partial) + sum(partly_missed)):.3f}")
    print(f"named by their rule: {exact} of {found}")


if __name__ == "__main__":
    main()
