"""
An audit: files to facts, facts to a project, a project to findings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from sessionstate.audit._baseline import load
from sessionstate.audit._comments import Comments, comments
from sessionstate.audit._findings import (
    Accepted,
    Container,
    Finding,
    Problem,
    Report,
    Verdict,
    home,
)
from sessionstate.audit._settings import Settings


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
    # Not above, as `sessionstate --version` would wait for it.
    from sessionstate.audit._reading import Reading, cache_of, no_collector  # noqa: PLC0415
    from sessionstate.audit._remembered import key_of, recall, remember, seen  # noqa: PLC0415

    settings = settings or Settings.read(paths[0] if paths else Path.cwd())
    with no_collector(), closing(cache_of(settings)) as cache:
        reading = Reading(paths, settings, cache, progress)
        judged = recall(cache, key_of(reading.contents, settings), reading.paths)
        found = reading.finished(facts=judged is None)
        if judged is None:
            from sessionstate.audit._deciding import decided  # noqa: PLC0415

            judged = decided(found.modules, seen(settings))
            remember(cache, key_of(reading.contents, settings), judged)
    sieve = _Sieve(settings)
    shown, hidden, accepted = sieve.sort(judged.findings)
    by_place = {home(f): f for f in judged.findings}
    return Report(
        tuple(shown),
        tuple(_inventory(judged.containers, by_place, shown, accepted)),
        tuple(accepted),
        (*found.problems, *sieve.problems),
        found.files,
        judged.lines,
        hidden,
        time.perf_counter() - began,
    )


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
        wanted: list[Finding] = []
        accepted: list[Accepted] = []
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
    containers: Sequence[Container],
    findings: dict[tuple[str, str], Finding],
    shown: Sequence[Finding],
    accepted: Sequence[Accepted],
) -> Iterator[Container]:
    """
    Yield each container with its verdict.
    """
    open_ones = {id(each) for each in shown}
    reasons = {id(each.finding): each.reason for each in accepted}
    for container in containers:
        finding = findings.get((container.defined.path, container.name))
        if finding is None:
            yield container
            continue
        verdict, reason = Verdict.SUSPECT, finding.message
        if id(finding) in open_ones:
            verdict = Verdict.LEAK
        elif id(finding) in reasons:
            verdict, reason = Verdict.ACCEPTED, reasons[id(finding)]
        yield replace(container, verdict=verdict, reason=reason, code=finding.code)
