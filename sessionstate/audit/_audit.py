"""
An audit: files to facts, facts to a project, a project to findings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sessionstate.audit import _caches, _listening, _lists, _owning, _spawning
from sessionstate.audit._baseline import load
from sessionstate.audit._comments import Comments, comments
from sessionstate.audit._findings import Accepted, Container, Finding, Problem, Report, Verdict
from sessionstate.audit._judging import Judge, Outcome
from sessionstate.audit._keys import Keys
from sessionstate.audit._messages import finding_of
from sessionstate.audit._project import Project
from sessionstate.audit._reading import read
from sessionstate.audit._settings import Settings

LOCAL_RULES = (_caches, _listening, _spawning, _owning, _lists)


def audit(
    paths: Sequence[str | Path],
    *,
    settings: Settings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """
    Look for what is kept per session and never goes, in all files together.

    Nothing that is audited is imported or run.

    Args:
        paths: Files and folders. All of them are one project: what one file fills, another may
            empty.
        settings: By default those of the nearest `pyproject.toml` at or above the first path.
        progress: Called with how many files were read, and how many there are.

    Returns:
        What was found. A file that cannot be read is one of its `problems`.

    Raises:
        FileNotFoundError: If there is nothing at one of *paths*.
        SettingsError: If settings or the baseline cannot be read, or make no sense.

    .. versionadded:: 0.1
    """
    began = time.perf_counter()
    settings = settings or Settings.read(paths[0] if paths else Path.cwd())
    found = read(paths, settings, progress)
    project = Project(found.modules)
    judge = Judge(project, Keys(settings.session_keys, settings.bounded_keys))
    outcomes = judge.outcomes()
    reported = [(finding_of(judge, each), each) for each in outcomes if each.code]
    named = {(f.path, f.container) for f, _ in reported}
    findings = [f for f, _ in reported]
    for rule in LOCAL_RULES:
        findings += [f for f in rule.findings(project, settings) if _is_new(f, named)]
    sieve = _Sieve(settings)
    shown, hidden, accepted = sieve.sort(findings)
    by_place = {(f.path, f.container): f for f in findings}
    return Report(
        tuple(shown),
        tuple(sorted(_inventory(outcomes, by_place, shown, accepted), key=_by_place)),
        tuple(accepted),
        tuple([*found.problems, *sieve.problems]),
        found.files,
        found.lines,
        hidden,
        time.perf_counter() - began,
    )


def _is_new(finding: Finding, named: set[tuple[str, str]]) -> bool:
    """
    Tell whether a container is not reported yet: one finding is enough.
    """
    key = finding.path, finding.container
    if key in named:
        return False
    named.add(key)
    return True


def _by_place(container: Container) -> tuple[str, int, str]:
    return container.defined.path, container.defined.line, container.name


class _Sieve:
    """
    Sorts findings into those to show, those not sure enough, and those that are accepted.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._comments: dict[str, Comments] = {}
        self.problems: list[Problem] = []

    def sort(self, findings: Sequence[Finding]) -> tuple[list[Finding], int, list[Accepted]]:
        """
        Return what to show, how many are hidden, and what is accepted.
        """
        settings = self._settings
        wanted, accepted = [], []
        for finding in sorted(findings, key=lambda f: (f.path, f.line, f.column, f.code)):
            if not settings.wants(finding.code, self._relative(finding.path)):
                continue
            reason = self._reason(finding)
            if reason is not None:
                accepted.append(Accepted(finding, reason))
            else:
                wanted.append(finding)
        if settings.baseline is not None:
            wanted, known = load(settings.baseline, root=settings.root).split(wanted)
            accepted += known
        shown = [each for each in wanted if each.confidence.reaches(settings.confidence)]
        return shown, len(wanted) - len(shown), accepted

    def _relative(self, path: str) -> str:
        try:
            return Path(path).resolve().relative_to(self._settings.root.resolve()).as_posix()
        except ValueError:
            return path

    def _reason(self, finding: Finding) -> str | None:
        """
        Return why a comment accepts *finding*: where it is made, or where it is written.
        """
        places = [(finding.path, finding.line)]
        places += [(each.path, each.line) for each in (finding.defined, *finding.writes) if each]
        for path, line in places:
            reason = self._of(path).accepts(finding.code, line)
            if reason is not None:
                return reason
        return None

    def _of(self, path: str) -> Comments:
        known = self._comments.get(path)
        if known is None:
            try:
                text = Path(path).read_text(encoding="utf-8", errors="replace")
            except OSError:
                text = ""
            known = self._comments[path] = comments(text)
            self.problems += [Problem(path, message, line) for line, message in known.complaints]
        return known


def _inventory(
    outcomes: Sequence[Outcome],
    findings: dict[tuple[str, str], Finding],
    shown: Sequence[Finding],
    accepted: Sequence[Accepted],
) -> Iterator[Container]:
    """
    Yield each container with its verdict.
    """
    open_ones = {id(each) for each in shown}
    reasons = {id(each.finding): each.reason for each in accepted}
    for outcome in outcomes:
        kept = outcome.kept
        if kept.module.is_test:
            continue
        finding = findings.get((kept.module.path, kept.name))
        verdict, reason, code = Verdict.CLEAN, outcome.reason, ""
        if finding is not None:
            code, reason = finding.code, finding.message
            verdict = Verdict.LEAK if id(finding) in open_ones else Verdict.SUSPECT
            if id(finding) in reasons:
                verdict, reason = Verdict.ACCEPTED, reasons[id(finding)]
        yield Container(
            kept.name,
            kept.kind,
            outcome.place,
            verdict,
            reason,
            sum(1 for _ in kept.writes()),
            sum(1 for _ in kept.removals()),
            code,
        )
